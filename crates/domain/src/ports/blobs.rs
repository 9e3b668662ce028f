use crate::error::Result;
use crate::time::Timestamp;
use async_trait::async_trait;
use bytes::Bytes;
use futures_core::stream::BoxStream;
use std::fmt::Debug;
use std::sync::Arc;

/// Bytes as they arrive; an error ends the stream.
pub type ByteStream = BoxStream<'static, std::io::Result<Bytes>>;

/// The name of a blob: path segments of `[a-z0-9._-]`, made by us only (`artifacts/<hex>`, `payloads/<id>`).
pub type BlobKey = Arc<str>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobInfo {
    pub key: BlobKey,
    pub size: u64,
    pub modified_at: Timestamp,
}

/// Immutable bytes by key: artifacts, large payloads, large results.
///
/// A `put` that returned is durable and readable whole; one that failed or was dropped left nothing that `get`
/// sees. Keys are written once; writing one again with the same bytes is fine.
#[async_trait]
pub trait Blobs: Debug + Send + Sync {
    /// Stores all of `bytes` and returns their number. More than `limit` is `TooLarge` and nothing is kept.
    async fn put(&self, key: &str, bytes: ByteStream, limit: u64) -> Result<u64>;

    /// Stores bytes under their SHA-256: key `artifacts/<hex>`. Returns digest and size.
    async fn put_artifact(&self, bytes: ByteStream, limit: u64) -> Result<(crate::ArtifactDigest, u64)>;

    /// The blob as a stream with its size; `NotFound` (reason `BlobNotFound`) where there is none.
    async fn get(&self, key: &str) -> Result<(u64, ByteStream)>;

    /// Makes the blob as young as one written now; `NotFound` (reason `BlobNotFound`) where there is none. Whoever
    /// names an old blob anew touches it first: from then on [`Blobs::delete_older`] spares it.
    async fn touch(&self, key: &str) -> Result<()> {
        self.get(key).await.map(drop)
    }

    /// Removes the blob; absent is fine.
    async fn delete(&self, key: &str) -> Result<()>;

    /// Removes the blob if it was written, and last touched, before `than`; says whether it did. One step: a touch or
    /// a put that returned is seen by it, and one that comes later finds no blob. Collections remove by this only.
    ///
    /// Without an implementation of its own a store spares every blob.
    async fn delete_older(&self, key: &str, than: Timestamp) -> Result<bool> {
        let _spared = (key, than);
        Ok(false)
    }

    /// All blobs whose key starts with `prefix` (whole path segments).
    async fn list(&self, prefix: &str) -> Result<BoxStream<'static, Result<BlobInfo>>>;
}
