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
//! [`PostgresStore`] keeps the record of the cluster shape, for any number of processes: several such writers in each,
//! every record locked while it is stepped, and nothing of it remembered from one transaction to the next.
//!
//! They decide nothing about the life of an invocation: they load a `Lifecycle`, ask
//! [`eventflow_domain::lifecycle::step`], and write back what that says, fenced by the epoch they read.

mod postgres;
mod shared;
mod sqlite;

pub use postgres::{OpenError as PostgresOpenError, Options as PostgresOptions, PostgresStore, TimeSource};
pub use sqlite::{OpenError, Options, SqliteStore};
