//! The record in PostgreSQL, shared by any number of processes.

mod accept;
mod arrays;
mod at_once;
mod attempts;
mod configs;
mod connect;
mod functions;
mod invocations;
mod keys;
mod leases;
mod list;
mod logs;
mod migrate;
mod news;
mod outbox;
mod part;
mod places;
mod retain;
mod rows;
mod slots;
mod stats;
mod steps;
mod sweep;
mod together;
mod tx;
mod worker;

use crate::shared::fault::{Fault, Outcome};
use crate::shared::{self, codes};
use eventflow_domain::ports::Clock;
use eventflow_domain::{Error, Result, Timestamp};
use futures::future::{BoxFuture, join_all};
use sqlx::postgres::{PgConnection, PgPool};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;
use worker::Writer;

/// Whose clock leases, delays and ends are told by.
#[derive(Debug, Clone, Default)]
pub enum TimeSource {
    /// The database's, the same for all processes.
    #[default]
    Database,
    /// This one, for tests that move it.
    Clock(Arc<dyn Clock>),
}

impl TimeSource {
    /// The time now, where it is not the database's.
    fn fixed(&self) -> Option<Timestamp> {
        match self {
            Self::Database => None,
            Self::Clock(clock) => Some(clock.now()),
        }
    }
}

/// How the store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Connections for writing; each commits a group of what waits at a time.
    pub writers: u32,
    /// Connections for reading, opened when first needed.
    pub readers: u32,
    /// Commands that may wait for a writer.
    pub queue: usize,
    /// From a call to its answer at the latest, whatever the database does. A statement may take a third of it.
    pub deadline: Duration,
    /// Whether a relay runs in this process: rows that it writes to the outbox are its own at first.
    pub relay: bool,
    /// How long rows of the outbox stay with the process that holds them, once they are due. Then any other may
    /// publish them.
    pub hold: Duration,
    pub time: TimeSource,
    /// Takes a server that forgets commits on a power cut (`fsync=off`). For tests only.
    #[doc(hidden)]
    pub forgetful: bool,
    /// Takes any settlement, also one of an epoch that no longer decides. Only to show that the fence is needed.
    #[doc(hidden)]
    pub unfenced: bool,
    /// Takes a call also where another one was quicker to take its key. Only to show that the unique key is needed.
    #[doc(hidden)]
    pub unkeyed: bool,
    /// Forgets a call that waits once the bus has it. Only to show that the outbox is needed.
    #[doc(hidden)]
    pub unboxed: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            writers: 4,
            readers: 8,
            queue: 4096,
            deadline: Duration::from_secs(15),
            relay: true,
            hold: Duration::from_secs(5),
            time: TimeSource::Database,
            forgetful: false,
            unfenced: false,
            unkeyed: false,
            unboxed: false,
        }
    }
}

impl Options {
    /// Longest work on one statement, and longest wait for a connection.
    fn statement(&self) -> Duration {
        self.deadline / 3
    }

    /// Longest work on one transaction with all its repetitions.
    fn patience(&self) -> Duration {
        self.deadline / 2
    }
}

/// Why the store cannot be opened. The text is for the person who started the process.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "failed to read the database URL; postgres://user:password@host/database?sslmode=require is wanted"
    )]
    Url(#[source] sqlx::Error),
    #[error("PostgreSQL {found} is too old; 15 or newer is wanted")]
    TooOld { found: String },
    #[error("the database is not durable: {setting} is {found}, {wanted} is wanted")]
    NotDurable { setting: &'static str, found: String, wanted: &'static str },
    #[error("the database takes no writes: it is a standby, or read-only")]
    ReadOnly,
    #[error(
        "the record was written by a newer version of EventFlow (schema {found}, this one knows {known}); \
         versions that know schema {oldest} can work with it"
    )]
    NewerSchema { found: i32, known: i32, oldest: i32 },
    #[error("failed to bring the schema to version {number}")]
    Migration {
        number: i32,
        #[source]
        source: sqlx::Error,
    },
    #[error("failed to reach the database")]
    Database(#[source] sqlx::Error),
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        Self::unavailable(error.to_string()).with_cause(error)
    }
}

/// The store ports over PostgreSQL 15 or newer. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    writer: Writer,
    readers: PgPool,
    /// Apart from the others, so that it tells how the server is, not how busy this process is.
    health: PgPool,
    options: Arc<Options>,
    /// This process, as a holder of outbox rows.
    holder: i64,
}

impl PostgresStore {
    /// Connects, asserts what durability rests on, brings the schema up to date (one process does, others wait), and
    /// starts the writers. Must be called within a tokio runtime. `sslmode` and the other parameters of `url` are those
    /// of libpq.
    pub async fn open(url: &str, options: Options) -> Result<Self, OpenError> {
        let options = Arc::new(options);
        let connect = connect::parse(url, &options)?;
        connect::prepare(&connect, &options).await?;
        let holder = Uuid::new_v4().as_u64_pair().0 as i64;
        let writer = worker::start(&connect, &options, holder);
        let readers = connect::pool(&connect, options.readers, &options);
        let health = connect::pool(&connect, 1, &options);
        Ok(Self { writer, readers, health, options, holder })
    }

    /// Commits what was handed over and closes all connections. Later calls are `Unavailable`; closing again is fine.
    pub async fn close(&self) {
        join_all((0..self.options.writers.max(1)).map(|_| self.writer.close())).await;
        self.readers.close().await;
        self.health.close().await;
    }

    /// Reads on a connection of its own, in bounded time.
    async fn read<T, F>(&self, pool: &PgPool, work: F) -> Result<T>
    where
        F: for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, Outcome<T>>,
    {
        let mut conn = pool.acquire().await.map_err(Fault::from)?;
        if let Ok(outcome) = tokio::time::timeout(self.options.patience(), work(&mut conn)).await {
            return Ok(outcome?);
        }
        // It may never answer again.
        conn.close_on_drop();
        Err(Fault::Late.into())
    }
}
