//! Blobs as files of one folder, for the local shape.

mod age;
mod errors;
mod lock;
mod read;
mod tidy;
mod upload;

use crate::key;
use async_trait::async_trait;
use errors::Doing;
use eventflow_domain::ports::{BlobInfo, Blobs, ByteStream};
use eventflow_domain::{ArtifactDigest, Error, Result, Timestamp};
use futures::stream::{BoxStream, StreamExt};
use lock::{Alone, Locks};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};
use std::io;
use std::path::PathBuf;
use upload::Upload;
use uuid::Uuid;

/// Where artifacts are written until their digest is known. Not a key: it has an upper-case letter.
const INCOMING: &str = "Incoming";

/// How a folder of blobs is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Whether a blob and its directory entry are on disk when `put` returns. Off for tests of this switch only:
    /// without it a power failure loses payloads of accepted calls.
    pub fsync: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { fsync: true }
    }
}

/// Blobs as files named by their keys, readable by this user only.
#[derive(Debug)]
pub struct FolderBlobs {
    store: LocalFileSystem,
    /// Of the ages: held where a blob is found old and removed, and where one becomes young. Neither may come into the
    /// other.
    locks: Locks,
}

impl FolderBlobs {
    /// Opens a folder, or makes it (mode 0700). Processes of one machine may share it; the first of them removes what
    /// interrupted puts left there.
    pub async fn open(folder: impl Into<PathBuf>) -> Result<Self> {
        Self::open_with(folder, Options::default()).await
    }

    /// The same with other options than the default.
    pub async fn open_with(folder: impl Into<PathBuf>, options: Options) -> Result<Self> {
        let folder = folder.into();
        let opened =
            tokio::task::spawn_blocking(move || Locks::open(&folder).map(|locks| (folder, locks))).await;
        let (folder, locks) = opened
            .map_err(|broken| Error::internal("open the blob folder", broken))?
            .map_err(|cause| Error::internal("open the blob folder", cause))?;
        let store = LocalFileSystem::new_with_prefix(folder)
            .map_err(|cause| errors::of(Doing("open the blob folder"), cause))?
            .with_fsync(options.fsync);
        Ok(Self { store, locks })
    }

    fn file(&self, key: &str) -> Result<PathBuf> {
        let path = self.store.path_to_filesystem(&key::parse(key)?);
        path.map_err(|cause| errors::of(Doing("find a blob"), cause))
    }

    async fn alone(&self) -> Result<Alone> {
        self.locks.alone().await.map_err(|cause| match cause.kind() {
            io::ErrorKind::TimedOut => {
                Error::unavailable("another process keeps the ages of blobs locked").with_cause(cause)
            }
            _ => Error::internal("lock the ages of blobs", cause),
        })
    }

    async fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.store.rename(from, to).await.map_err(|cause| errors::of(Doing("store an artifact"), cause))
    }
}

#[async_trait]
impl Blobs for FolderBlobs {
    async fn put(&self, key: &str, bytes: ByteStream, limit: u64) -> Result<u64> {
        let path = key::parse(key)?;
        upload::all(&self.store, &path, Upload { bytes, limit, hash: None }).await
    }

    async fn put_artifact(&self, bytes: ByteStream, limit: u64) -> Result<(ArtifactDigest, u64)> {
        let incoming = Path::from_iter([INCOMING, &Uuid::new_v4().simple().to_string()]);
        let mut hash = Sha256::new();
        let upload = Upload { bytes, limit, hash: Some(&mut hash) };
        let size = upload::all(&self.store, &incoming, upload).await?;
        let digest = ArtifactDigest::from_bytes(hash.finalize().into());
        // Over one that is there already too: the same bytes, and young again for the collection.
        let _alone = self.alone().await?;
        self.rename(&incoming, &key::parse(&format!("artifacts/{}", digest.hex()))?).await?;
        Ok((digest, size))
    }

    async fn get(&self, key: &str) -> Result<(u64, ByteStream)> {
        let found = self.store.get(&key::parse(key)?).await;
        let found = found.map_err(|cause| errors::of_key(Doing("read a blob"), key, cause))?;
        Ok((found.meta.size, read::stream(found)))
    }

    async fn touch(&self, key: &str) -> Result<()> {
        let file = self.file(key)?;
        let alone = self.alone().await?;
        age::renew(file, alone).await.map_err(|cause| errors::of_file("touch a blob", key, cause))
    }

    async fn delete_older(&self, key: &str, than: Timestamp) -> Result<bool> {
        let file = self.file(key)?;
        let alone = self.alone().await?;
        let removed = age::remove_older(file, than, alone).await;
        removed.map_err(|cause| errors::of_file("delete a blob", key, cause))
    }

    async fn delete(&self, key: &str) -> Result<()> {
        match self.store.delete(&key::parse(key)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(cause) => Err(errors::of(Doing("delete a blob"), cause)),
        }
    }

    async fn list(&self, prefix: &str) -> Result<BoxStream<'static, Result<BlobInfo>>> {
        let prefix = match key::parse_prefix(prefix)? {
            "" => None,
            prefix => Some(key::parse(prefix)?),
        };
        let listed = self.store.list(prefix.as_ref()).filter_map(|found| async {
            match found {
                Ok(found) if key::parse(found.location.as_ref()).is_err() => None,
                Ok(found) => Some(Ok(BlobInfo {
                    key: found.location.as_ref().into(),
                    size: found.size,
                    modified_at: Timestamp::from_micros(found.last_modified.timestamp_micros()),
                })),
                // Removed while it was being listed.
                Err(object_store::Error::NotFound { .. }) => None,
                Err(cause) => Some(Err(errors::of(Doing("list blobs"), cause))),
            }
        });
        Ok(listed.boxed())
    }
}
