//! Blobs as rows of PostgreSQL, for installations too small for a storage of their own.

mod connect;
mod database;
mod errors;

use crate::body::{Body, Piece};
use crate::errors::not_found;
use crate::{detached, key};
use async_trait::async_trait;
use bytes::Bytes;
use database::{Database, Named};
use eventflow_domain::error::Chain;
use eventflow_domain::ports::{BlobInfo, Blobs, ByteStream};
use eventflow_domain::{ArtifactDigest, Error, Result, Timestamp};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use std::io;
use std::time::Duration;
use uuid::Uuid;

/// Bytes of a row. A put and a get hold a few of them.
const CHUNK: usize = 1 << 20;

/// How the blobs are opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Connections, opened when first needed. One is held for the time of a chunk, not of a blob.
    pub connections: u32,
    /// From a step (a chunk, a delete, a page of a list) to its end at the latest, whatever the database does. A
    /// statement may take a third of it.
    pub deadline: Duration,
    /// Takes a server that forgets commits on a power cut (`fsync=off`). For tests only.
    #[doc(hidden)]
    pub forgetful: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { connections: 4, deadline: Duration::from_secs(15), forgetful: false }
    }
}

impl Options {
    /// Longest work on one statement, and longest wait for a connection.
    fn statement(&self) -> Duration {
        self.deadline / 3
    }

    /// Longest work on one transaction.
    fn patience(&self) -> Duration {
        self.deadline / 2
    }
}

/// Why the blobs cannot be opened. The text is for the person who started the process.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "failed to read the database URL; postgres://user:password@host/database?sslmode=require is wanted"
    )]
    Url(#[source] sqlx::Error),
    #[error("the database is not durable: {setting} is {found}, {wanted} is wanted")]
    NotDurable { setting: &'static str, found: String, wanted: &'static str },
    #[error("the database takes no writes: it is a standby, or read-only")]
    ReadOnly,
    #[error(
        "the blobs were written by a newer version of EventFlow (schema {found}, this one knows {known})"
    )]
    NewerSchema { found: i32, known: i32 },
    #[error("failed to bring the schema of blobs to version {number}")]
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

/// Blobs in PostgreSQL 15 or newer, in tables of their own (`eventflow_blob…`). Cheap to clone.
#[derive(Debug, Clone)]
pub struct PostgresBlobs {
    database: Database,
}

impl PostgresBlobs {
    /// Connects, asserts what durability rests on, and brings the schema up to date (one process does, others wait).
    /// `sslmode` and the other parameters of `url` are those of libpq.
    pub async fn open(url: &str, options: Options) -> Result<Self, OpenError> {
        let connect = connect::parse(url, &options)?;
        connect::prepare(&connect, &options).await?;
        Ok(Self { database: Database::new(connect, options) })
    }

    /// Closes all connections. Later calls are `Unavailable`; closing again is fine.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// Writes a body as a content without a name. Nothing is there before its first bytes came.
    async fn upload(&self, body: &mut Body) -> Result<Upload> {
        let mut piece = body.piece(CHUNK).await?;
        let content = self.database.begin().await?;
        let upload = Upload { database: self.database.clone(), content: Some(content) };
        for number in 0.. {
            let Piece { bytes, more } = piece;
            if !bytes.is_empty() {
                self.database.write(content, number, bytes).await?;
            }
            if !more {
                break;
            }
            piece = body.piece(CHUNK).await?;
        }
        Ok(upload)
    }
}

/// A content that has no name yet, and goes with this value.
struct Upload {
    database: Database,
    content: Option<Uuid>,
}

impl Upload {
    async fn name(mut self, key: &str, size: u64, named: Named) -> Result<()> {
        if let Some(content) = self.content {
            self.database.name(content, key, size, named).await?;
        }
        self.content = None;
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(content) = self.content else { return };
        let database = self.database.clone();
        detached::run(async move {
            if let Err(error) = database.abandon(content).await {
                let cause = Chain(&error);
                tracing::warn!(%cause, "failed to remove a blob that was not stored whole: its age will");
            }
        });
    }
}

/// The chunks of a content, each read when it is asked for.
fn chunks(database: Database, content: Uuid, size: u64) -> ByteStream {
    let chunks = stream::try_unfold((database, 0, size), move |(database, number, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let found = database.read(content, number).await.map_err(io::Error::other)?;
        let bytes = Bytes::from(found.unwrap_or_default());
        // Removed or replaced meanwhile: it must not pass for a shorter one.
        let left = left.checked_sub(bytes.len() as u64).filter(|_| !bytes.is_empty());
        let left = left.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok::<_, io::Error>(Some((bytes, (database, number + 1, left))))
    });
    chunks.boxed()
}

#[async_trait]
impl Blobs for PostgresBlobs {
    async fn put(&self, key: &str, bytes: ByteStream, limit: u64) -> Result<u64> {
        key::parse(key)?;
        let mut body = Body::new(bytes, limit);
        let upload = self.upload(&mut body).await?;
        upload.name(key, body.size(), Named::Replaced).await?;
        Ok(body.size())
    }

    async fn put_artifact(&self, bytes: ByteStream, limit: u64) -> Result<(ArtifactDigest, u64)> {
        let mut body = Body::hashed(bytes, limit);
        let upload = self.upload(&mut body).await?;
        let digest = body.digest().ok_or_else(|| Error::internal("hash an artifact", "it was not hashed"))?;
        upload.name(&format!("artifacts/{}", digest.hex()), body.size(), Named::Kept).await?;
        Ok((digest, body.size()))
    }

    async fn get(&self, key: &str) -> Result<(u64, ByteStream)> {
        key::parse(key)?;
        let (content, size) = self.database.find(key).await?.ok_or_else(|| not_found(key))?;
        Ok((size, chunks(self.database.clone(), content, size)))
    }

    async fn touch(&self, key: &str) -> Result<()> {
        key::parse(key)?;
        let touched = self.database.touch(key).await?;
        touched.then_some(()).ok_or_else(|| not_found(key))
    }

    async fn delete_older(&self, key: &str, than: Timestamp) -> Result<bool> {
        key::parse(key)?;
        self.database.delete(key, than).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        key::parse(key)?;
        self.database.delete(key, Timestamp::from_micros(i64::MAX)).await.map(drop)
    }

    /// Removes what interrupted puts left, too: collections list everything now and then.
    async fn list(&self, prefix: &str) -> Result<BoxStream<'static, Result<BlobInfo>>> {
        let prefix = key::parse_prefix(prefix)?.to_owned();
        self.database.sweep().await?;
        let start = Some((self.database.clone(), String::new(), prefix));
        let pages = stream::try_unfold(start, |cursor| async move {
            let Some((database, after, prefix)) = cursor else { return Ok(None) };
            let page = database.page(&after, &prefix).await?;
            let last = page.last().filter(|_| page.len() as i64 == database::PAGE);
            let next = last.map(|last| (database, last.key.to_string(), prefix));
            Ok::<_, Error>(Some((stream::iter(page.into_iter().map(Ok)), next)))
        });
        Ok(pages.try_flatten().boxed())
    }
}
