//! Adapters of the port [`FunctionRegistry`](eventflow_domain::ports::FunctionRegistry): the one room that numbers
//! versions.
//!
//! [`SqlRegistry`] is alone with its store, [`SharedRegistry`] shares it with other processes; in a cluster functions
//! are custom resources, and the operator numbers them (`KubernetesRegistry`, with the feature `kubernetes`):
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
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
mod merge;
mod plan;
mod rows;
pub mod shared;
pub mod sql;
mod versions;

#[cfg(feature = "kubernetes")]
pub use kubernetes::KubernetesRegistry;
pub use shared::{Options, SharedRegistry};
pub use sql::SqlRegistry;
