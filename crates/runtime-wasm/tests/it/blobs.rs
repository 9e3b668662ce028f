use async_trait::async_trait;
use bytes::Bytes;
use eventflow_domain::error::Result;
use eventflow_domain::ports::{BlobInfo, Blobs, ByteStream};
use eventflow_domain::{ArtifactDigest, Error, ErrorKind};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Artifacts in memory; counts how often one is read.
#[derive(Debug, Default)]
pub(crate) struct MemoryBlobs {
    blobs: Mutex<HashMap<String, Bytes>>,
    reads: AtomicUsize,
}

impl MemoryBlobs {
    pub(crate) fn add(&self, code: impl Into<Bytes>) -> ArtifactDigest {
        let code = code.into();
        let digest = ArtifactDigest::from_bytes(Sha256::digest(&code).into());
        self.blobs.lock().insert(format!("artifacts/{}", digest.hex()), code);
        digest
    }

    pub(crate) fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn put(&self, _key: &str, _bytes: ByteStream, _limit: u64) -> Result<u64> {
        unreachable!("the runtime only reads")
    }

    async fn put_artifact(&self, _bytes: ByteStream, _limit: u64) -> Result<(ArtifactDigest, u64)> {
        unreachable!("the runtime only reads")
    }

    async fn get(&self, key: &str) -> Result<(u64, ByteStream)> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let bytes = self.blobs.lock().get(key).cloned();
        let bytes = bytes.ok_or_else(|| Error::new(ErrorKind::NotFound, "BlobNotFound", "no such blob"))?;
        // In two pieces, as from a disk.
        let halves = [bytes.slice(..bytes.len() / 2), bytes.slice(bytes.len() / 2..)].map(Ok);
        Ok((bytes.len() as u64, stream::iter(halves).boxed()))
    }

    async fn delete(&self, _key: &str) -> Result<()> {
        unreachable!("the runtime only reads")
    }

    async fn list(&self, _prefix: &str) -> Result<BoxStream<'static, Result<BlobInfo>>> {
        unreachable!("the runtime only reads")
    }
}
