//! The record in one SQLite file.

mod accept;
mod attempts;
mod bodies;
mod claim;
mod configs;
mod connect;
mod functions;
mod hot;
mod insert;
mod invocations;
mod list;
mod lock;
mod logs;
mod outbox;
mod record;
mod repeat;
mod retain;
mod slots;
mod stats;
mod steps;
mod sweep;
mod waiting;
mod write;
mod writer;

use crate::shared::{self, codes, fault, transition};
use eventflow_domain::ports::Clock;
use eventflow_domain::{Error, Result};
use sqlx::sqlite::SqlitePool;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use writer::Writer;

/// How the store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Connections for reading. Each is a thread and up to 4 MiB of page cache, opened when first needed.
    pub readers: u32,
    /// Commands that may wait for the writer.
    pub queue: usize,
    /// How long a command may wait for a place in that queue.
    pub wait: Duration,
    /// Pages of 4 KiB that the file may grow to; then writes are `Unavailable`, as on a full disk. `None`: no bound.
    pub max_pages: Option<u32>,
    /// Takes any settlement, also one of an epoch that no longer decides. Only to show that the fence is needed.
    #[doc(hidden)]
    pub unfenced: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { readers: 4, queue: 1024, wait: Duration::from_secs(5), max_pages: None, unfenced: false }
    }
}

/// Why the store cannot be opened. The text is for the person who started the process.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("data folder {} is in use by {}; stop it, or give another folder", .folder.display(), owner(*.pid))]
    Locked { folder: PathBuf, pid: Option<u32> },
    #[error("failed to use data folder {}; it must be a folder that this user can write to", .folder.display())]
    Folder {
        folder: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "the record was written by a newer version of EventFlow (schema {found}, this one knows {known})"
    )]
    NewerSchema { found: i64, known: i64 },
    #[error(
        "the database is not durable: journal_mode={journal}, synchronous={synchronous}; wal and 2 are needed"
    )]
    NotDurable { journal: String, synchronous: i64 },
    #[error("failed to bring the schema to version {number}")]
    Migration {
        number: i64,
        #[source]
        source: sqlx::Error,
    },
    #[error("failed to open the database")]
    Database(#[source] sqlx::Error),
}

fn owner(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        Self::unavailable(error.to_string()).with_cause(error)
    }
}

/// The store ports over SQLite: one file in a folder that one process holds.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    writer: Writer,
    readers: SqlitePool,
    clock: Arc<dyn Clock>,
}

impl SqliteStore {
    /// Opens the record in `folder`, which is made where it is missing (mode 0700), and takes the folder for this
    /// process until the store is closed or dropped. Must be called within a tokio runtime.
    pub async fn open(folder: &Path, clock: Arc<dyn Clock>, options: Options) -> Result<Self, OpenError> {
        let path = connect::prepare_folder(folder)?;
        let lock = lock::FolderLock::take(folder)?;
        let conn = connect::open_writer(&path, &options).await?;
        let readers = connect::readers(&path, &options);
        let writer =
            writer::start(conn, lock, connect::writer_options(&path, &options), Arc::clone(&clock), &options);
        Ok(Self { writer, readers, clock })
    }

    /// Commits what was handed over, closes the file and lets go of the folder. Later calls are `Unavailable`;
    /// closing again is fine.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
