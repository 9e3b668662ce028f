//! Adapters of the port [`FunctionRegistry`](eventflow_domain::ports::FunctionRegistry): the one room that numbers
//! versions.
//!
//! [`SqlRegistry`] is alone with its store, [`SharedRegistry`] shares it with other processes:
//!
//! ```text
//!   apply · pause · delete ──▶ plan on what is stored ──▶ store (durable, refuses what was planned on older rows)
//!                                                            │ then
//!   get · list · watch ◀────────── index in memory ◀─────────┘◀── report (readiness)
//!                                        ▲
//!                                        └── shared: news of other writers, and a comparison with all rows at times
//! ```

mod backoff;
mod declared;
mod detached;
mod index;
mod merge;
mod plan;
mod rows;
pub mod shared;
pub mod sql;
mod versions;

pub use shared::{Options, SharedRegistry};
pub use sql::SqlRegistry;
