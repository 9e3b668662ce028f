//! Blobs as objects of a bucket, for any number of processes.

mod bucket;
mod config;
mod errors;
mod http;
mod list;
mod probe;
mod upload;

use crate::body::Body;
use crate::errors::not_found;
use crate::key;
use async_trait::async_trait;
use bucket::{Bucket, Generation, INCOMING};
use errors::Secrets;
use eventflow_domain::ports::{BlobInfo, Blobs, ByteStream};
use eventflow_domain::{ArtifactDigest, Error, Result, Timestamp};
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectStoreExt, RetryConfig};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};

pub use config::{OpenError, S3Config};

/// How often a blob is looked up again whose objects were replaced meanwhile.
const ATTEMPTS: usize = 8;

/// Keys that are touched and collected apart from each other.
const SHARDS: usize = 64;

/// Blobs in S3 or a compatible storage that shows a write to all who read and list after it.
#[derive(Debug)]
pub struct S3Blobs {
    bucket: Arc<Bucket>,
    /// Held where a blob is made young or found old and removed. Objects alone keep a touched blob; this makes what
    /// `delete_older` says of it true as well, within a process.
    ages: [Mutex<()>; SHARDS],
}

impl S3Blobs {
    /// Tries all that is needed on objects of its own (`<prefix>/Probe/…`), and removes what uploads that ended more
    /// than a day ago left under `<prefix>/Incoming/`.
    pub async fn open(config: S3Config) -> Result<Self, OpenError> {
        config.validate()?;
        let secrets = Secrets::new([config.secret_key.clone(), config.access_key.clone()]);
        let store = client(&config, &secrets).await?;
        let bucket = Arc::new(Bucket::new(store, &config.prefix, secrets));
        probe::run(&bucket, &config.bucket).await?;
        Ok(Self { bucket, ages: std::array::from_fn(|_| Mutex::new(())) })
    }

    async fn alone(&self, key: &str) -> Option<MutexGuard<'_, ()>> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let shard = hasher.finish() as usize % SHARDS;
        Some(self.ages.get(shard)?.lock().await)
    }

    /// Copies an object within the storage; false where it is not there (any more).
    async fn copy(&self, from: &Path, to: &Path) -> Result<bool> {
        let mut conflicts = 0;
        loop {
            match self.bucket.store.copy(from, to).await {
                Ok(()) => return Ok(true),
                Err(object_store::Error::NotFound { .. }) => return Ok(false),
                Err(cause) if upload::again(&cause, &mut conflicts).await => {}
                Err(cause) => return Err(self.bucket.secrets.unavailable("copy a blob", &cause)),
            }
        }
    }

    /// Stores an artifact whose digest is not known before its end.
    async fn put_large(&self, first: crate::body::Piece, body: &mut Body) -> Result<ArtifactDigest> {
        let incoming = self.bucket.aside(INCOMING);
        upload::all(&self.bucket, &incoming, first, body).await?;
        let digest = digest(body)?;
        let key = artifact(digest);
        let before = self.bucket.generations(&key).await?;
        if !self.copy(&incoming, &self.bucket.next(&key)).await? {
            return Err(Error::unavailable("the blob storage lost an upload"));
        }
        self.remove(&before).await?;
        self.bucket.remove(vec![incoming]).await?;
        Ok(digest)
    }

    /// Removes objects that were there before a younger one of the same blob was. Whoever removes any has written
    /// one after it had seen them, so the youngest always stays.
    async fn remove(&self, older: &[Generation]) -> Result<()> {
        self.bucket.remove(older.iter().map(|generation| generation.path.clone()).collect()).await
    }
}

async fn client(config: &S3Config, secrets: &Secrets) -> Result<AmazonS3, OpenError> {
    let retry = RetryConfig {
        max_retries: config.retries,
        retry_timeout: config.timeout,
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            base: 2.0,
        },
    };
    let builder = AmazonS3Builder::new()
        .with_bucket_name(&config.bucket)
        .with_region(&config.region)
        .with_access_key_id(&config.access_key)
        .with_secret_access_key(&config.secret_key)
        .with_allow_http(config.allow_http)
        .with_virtual_hosted_style_request(config.virtual_hosted)
        .with_disable_bulk_delete(true)
        .with_retry(retry)
        .with_http_connector(http::Connector::new(config).await?);
    let builder = match &config.endpoint {
        Some(url) => builder.with_endpoint(url.trim_end_matches('/')),
        None => builder,
    };
    builder.build().map_err(|cause| OpenError::Client(secrets.unavailable("read its settings", &cause)))
}

fn artifact(digest: ArtifactDigest) -> String {
    format!("artifacts/{}", digest.hex())
}

fn digest(body: &Body) -> Result<ArtifactDigest> {
    body.digest().ok_or_else(|| Error::internal("hash an artifact", "it was not hashed"))
}

#[async_trait]
impl Blobs for S3Blobs {
    async fn put(&self, key: &str, bytes: ByteStream, limit: u64) -> Result<u64> {
        key::parse(key)?;
        let mut body = Body::new(bytes, limit);
        let first = body.piece(upload::PART).await?;
        upload::all(&self.bucket, &self.bucket.next(key), first, &mut body).await?;
        Ok(body.size())
    }

    async fn put_artifact(&self, bytes: ByteStream, limit: u64) -> Result<(ArtifactDigest, u64)> {
        let mut body = Body::hashed(bytes, limit);
        let first = body.piece(upload::PART).await?;
        if first.more {
            return Ok((self.put_large(first, &mut body).await?, body.size()));
        }
        let digest = digest(&body)?;
        let key = artifact(digest);
        let before = self.bucket.generations(&key).await?;
        upload::all(&self.bucket, &self.bucket.next(&key), first, &mut body).await?;
        self.remove(&before).await?;
        Ok((digest, body.size()))
    }

    async fn get(&self, key: &str) -> Result<(u64, ByteStream)> {
        for _ in 0..ATTEMPTS {
            let found = self.bucket.present(key).await?;
            let youngest = found.first().ok_or_else(|| not_found(key))?;
            let secrets = self.bucket.secrets.clone();
            match self.bucket.store.get(&youngest.path).await {
                Ok(found) => {
                    let size = found.meta.size;
                    let bytes = found.into_stream().map_err(move |cause| secrets.broken(&cause));
                    return Ok((size, bytes.boxed()));
                }
                // Touched since, or removed.
                Err(object_store::Error::NotFound { .. }) => {}
                Err(cause) => return Err(secrets.unavailable("read a blob", &cause)),
            }
        }
        Err(Error::unavailable("the blob is touched too often to be read"))
    }

    /// A copy within the storage, under a new name.
    async fn touch(&self, key: &str) -> Result<()> {
        let _alone = self.alone(key).await;
        for _ in 0..ATTEMPTS {
            let found = self.bucket.present(key).await?;
            let youngest = found.first().ok_or_else(|| not_found(key))?;
            match self.copy(&youngest.path, &self.bucket.next(key)).await {
                Ok(true) => return self.remove(&found).await,
                Ok(false) => {}
                // Servers have many words for an object that is removed while it is copied.
                Err(error) => return Err(self.bucket.present(key).await.err().unwrap_or(error)),
            }
        }
        Err(Error::unavailable("the blob is touched by too many at once"))
    }

    async fn delete_older(&self, key: &str, than: Timestamp) -> Result<bool> {
        let _alone = self.alone(key).await;
        let found = self.bucket.generations(key).await?;
        if found.first().is_none_or(|youngest| youngest.modified_at >= than) {
            return Ok(false);
        }
        self.remove(&found).await?;
        Ok(true)
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let found = self.bucket.generations(key).await?;
        self.remove(&found).await
    }

    async fn list(&self, prefix: &str) -> Result<BoxStream<'static, Result<BlobInfo>>> {
        Ok(list::all(Arc::clone(&self.bucket), key::parse_prefix(prefix)?))
    }
}
