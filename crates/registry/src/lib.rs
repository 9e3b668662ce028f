//! Adapters of the port [`FunctionRegistry`](eventflow_domain::ports::FunctionRegistry): the one room that numbers
//! versions.
//!
//! ```text
//!   apply · pause · delete ──▶ one writer at a time ──▶ FunctionStore (durable)
//!                                                            │ then
//!   get · list · watch ◀────────── index in memory ◀─────────┘◀── report (readiness: memory only)
//! ```

pub mod sql;

pub use sql::SqlRegistry;
