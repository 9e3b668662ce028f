//! The record: adapters of the store ports over SQL.
//!
//! [`SqliteStore`] keeps the record of the local shape in one SQLite file. All writes go through one writer, which
//! takes what waits as one group and commits it once:
//!
//! ```text
//!  accept ──┐                     ┌─ BEGIN IMMEDIATE
//!  settle ──┼─▶ bounded channel ──┤  accepts: multi-row inserts; the rest: a SAVEPOINT each
//!  claim  ──┘                     └─ COMMIT (fsync), then all are answered
//!  get, list, … ──▶ read pool (WAL: readers and the writer do not wait for each other)
//! ```
//!
//! It decides nothing about the life of an invocation: it loads a `Lifecycle`, asks
//! [`eventflow_domain::lifecycle::step`], and writes back what that says, fenced by the epoch it read.

mod sqlite;

pub use sqlite::{OpenError, Options, SqliteStore};
