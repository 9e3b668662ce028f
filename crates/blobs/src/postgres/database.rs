//! The statements, each in bounded time.
//!
//! A content is written once under an id of its own, and a blob is a row that names one: so a blob is replaced or
//! removed in one step, and what nobody names is found by its upload, which is removed in that same step.

use super::{Options, connect, errors};
use bytes::Bytes;
use eventflow_domain::ports::BlobInfo;
use eventflow_domain::{Error, ErrorKind, Result, Timestamp};
use futures::future::BoxFuture;
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use std::time::Duration;
use uuid::Uuid;

/// An upload that nothing was heard of for so long is over.
const STALE: Duration = Duration::from_secs(3600);

/// Rows of one page of a list.
pub(super) const PAGE: i64 = 500;

const BEGIN: &str = "\
    INSERT INTO eventflow_blob_uploads
    VALUES ($1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)";

const CHUNK: &str = "\
    WITH alive AS (
        UPDATE eventflow_blob_uploads SET alive_at = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
        WHERE content = $1 RETURNING content
    )
    INSERT INTO eventflow_blob_chunks SELECT content, $2, $3 FROM alive";

const END: &str = "DELETE FROM eventflow_blob_uploads WHERE content = $1";

const NAME: &str = "\
    INSERT INTO eventflow_blobs (key, content, size, modified_at)
    VALUES ($1, $2, $3, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
    ON CONFLICT (key) DO UPDATE SET previous = eventflow_blobs.content, content = excluded.content,
        size = excluded.size, modified_at = excluded.modified_at
    RETURNING previous";

const TOUCH: &str = "\
    UPDATE eventflow_blobs SET modified_at = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
    WHERE key = $1";

const DELETE: &str = "DELETE FROM eventflow_blobs WHERE key = $1 AND modified_at < $2 RETURNING content";

const DELETE_CHUNKS: &str = "DELETE FROM eventflow_blob_chunks WHERE content = $1";

const FIND: &str = "SELECT content, size FROM eventflow_blobs WHERE key = $1";

const READ: &str = "SELECT bytes FROM eventflow_blob_chunks WHERE content = $1 AND number = $2";

/// `$2` and `$3` are where all keys with the prefix lie between.
const LIST: &str = "\
    SELECT key, size, modified_at FROM eventflow_blobs
    WHERE key > $1 AND key >= $2 AND key < $3 ORDER BY key LIMIT $4";

const SWEEP: &str = "\
    DELETE FROM eventflow_blob_uploads WHERE content = (
        SELECT content FROM eventflow_blob_uploads
        WHERE alive_at < (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - $1
        ORDER BY alive_at LIMIT 1 FOR UPDATE SKIP LOCKED
    ) RETURNING content";

#[derive(Debug, Clone)]
pub(super) struct Database {
    pool: PgPool,
    options: Options,
}

/// Whether a key that names a content already keeps that one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// The bytes are the same: those who read them now are not disturbed.
    Kept,
    Replaced,
}

type Outcome<T> = Result<T, sqlx::Error>;

impl Database {
    pub(super) fn new(connect: PgConnectOptions, options: Options) -> Self {
        Self { pool: connect::pool(connect, &options), options }
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    /// Works on a connection of the pool, in bounded time.
    async fn with<T, F>(&self, work: F) -> Result<T>
    where
        F: for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, Outcome<T>>,
    {
        let mut conn = self.pool.acquire().await.map_err(errors::of)?;
        if let Ok(outcome) = tokio::time::timeout(self.options.patience(), work(&mut conn)).await {
            return outcome.map_err(errors::of);
        }
        // It may never answer again.
        conn.close_on_drop();
        Err(errors::late())
    }

    /// Announces a new content.
    pub(super) async fn begin(&self) -> Result<Uuid> {
        let content = Uuid::new_v4();
        self.with(|conn| Box::pin(sqlx::query(BEGIN).bind(content).execute(conn))).await?;
        Ok(content)
    }

    pub(super) async fn write(&self, content: Uuid, number: i32, bytes: Bytes) -> Result<()> {
        let written = self.with(move |conn| {
            Box::pin(async move {
                sqlx::query(CHUNK).bind(content).bind(number).bind(&*bytes).execute(conn).await
            })
        });
        if written.await?.rows_affected() == 1 {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Cancelled, "BodyInterrupted", "the bytes to store came too slowly"))
    }

    /// Makes a content that was written whole the blob of a key.
    pub(super) async fn name(&self, content: Uuid, key: &str, size: u64, named: Named) -> Result<()> {
        let (key, size) = (key.to_owned(), size as i64);
        let found = self.with(move |conn| {
            Box::pin(async move {
                let mut tx = conn.begin().await?;
                if sqlx::query(END).bind(content).execute(&mut *tx).await?.rows_affected() == 0 {
                    return Ok(false);
                }
                let kept = named == Named::Kept
                    && sqlx::query(TOUCH).bind(&key).execute(&mut *tx).await?.rows_affected() == 1;
                let useless = if kept {
                    Some(content)
                } else {
                    let name = sqlx::query_scalar(NAME).bind(&key).bind(content).bind(size);
                    name.fetch_one(&mut *tx).await?
                };
                delete_chunks(&mut tx, useless).await?;
                tx.commit().await?;
                Ok(true)
            })
        });
        if found.await? {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Cancelled, "BodyInterrupted", "the bytes to store came too slowly"))
    }

    /// Removes a content that was not named.
    pub(super) async fn abandon(&self, content: Uuid) -> Result<()> {
        self.with(move |conn| {
            Box::pin(async move {
                let mut tx = conn.begin().await?;
                if sqlx::query(END).bind(content).execute(&mut *tx).await?.rows_affected() == 1 {
                    delete_chunks(&mut tx, Some(content)).await?;
                }
                tx.commit().await
            })
        })
        .await
    }

    /// Removes contents whose writers are gone.
    pub(super) async fn sweep(&self) -> Result<()> {
        loop {
            let swept = self.with(|conn| {
                Box::pin(async move {
                    let mut tx = conn.begin().await?;
                    let stale = sqlx::query_scalar(SWEEP).bind(STALE.as_micros() as i64);
                    let stale: Option<Uuid> = stale.fetch_optional(&mut *tx).await?;
                    delete_chunks(&mut tx, stale).await?;
                    tx.commit().await?;
                    Ok(stale.is_some())
                })
            });
            if !swept.await? {
                return Ok(());
            }
        }
    }

    /// The content and size of a blob.
    pub(super) async fn find(&self, key: &str) -> Result<Option<(Uuid, u64)>> {
        let key = key.to_owned();
        let found = self.with(move |conn| {
            Box::pin(async move { sqlx::query_as(FIND).bind(key).fetch_optional(conn).await })
        });
        let found: Option<(Uuid, i64)> = found.await?;
        Ok(found.map(|(content, size)| (content, size as u64)))
    }

    pub(super) async fn read(&self, content: Uuid, number: i32) -> Result<Option<Vec<u8>>> {
        self.with(move |conn| {
            Box::pin(sqlx::query_scalar(READ).bind(content).bind(number).fetch_optional(conn))
        })
        .await
    }

    /// Whether there was a blob to touch.
    pub(super) async fn touch(&self, key: &str) -> Result<bool> {
        let key = key.to_owned();
        let touched =
            self.with(move |conn| Box::pin(async move { sqlx::query(TOUCH).bind(key).execute(conn).await }));
        Ok(touched.await?.rows_affected() == 1)
    }

    /// Whether there was a blob older than `than`, which there is no more. A touch at the same time waits, or is waited
    /// for and seen.
    pub(super) async fn delete(&self, key: &str, than: Timestamp) -> Result<bool> {
        let key = key.to_owned();
        self.with(move |conn| {
            Box::pin(async move {
                let mut tx = conn.begin().await?;
                let delete = sqlx::query_scalar(DELETE).bind(key).bind(than.as_micros());
                let content: Option<Uuid> = delete.fetch_optional(&mut *tx).await?;
                // By a statement of its own, which sees also what was committed while that one waited.
                delete_chunks(&mut tx, content).await?;
                tx.commit().await?;
                Ok(content.is_some())
            })
        })
        .await
    }

    /// The next blobs after the key `after`, in the order of their keys.
    pub(super) async fn page(&self, after: &str, prefix: &str) -> Result<Vec<BlobInfo>> {
        // '0' is the character after '/', and '{' the one after all of a key.
        let (from, to) = match prefix {
            "" => (String::new(), "{".to_owned()),
            prefix => (format!("{prefix}/"), format!("{prefix}0")),
        };
        let after = after.to_owned();
        let rows = self.with(move |conn| {
            Box::pin(async move {
                sqlx::query_as(LIST).bind(after).bind(from).bind(to).bind(PAGE).fetch_all(conn).await
            })
        });
        let rows: Vec<(String, i64, i64)> = rows.await?;
        let blob = |(key, size, at): (String, i64, i64)| BlobInfo {
            key: key.into(),
            size: size as u64,
            modified_at: Timestamp::from_micros(at),
        };
        Ok(rows.into_iter().map(blob).collect())
    }
}

async fn delete_chunks(conn: &mut PgConnection, content: Option<Uuid>) -> Outcome<()> {
    if let Some(content) = content {
        sqlx::query(DELETE_CHUNKS).bind(content).execute(conn).await?;
    }
    Ok(())
}
