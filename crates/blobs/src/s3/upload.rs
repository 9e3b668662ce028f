//! Writing an object: all of it or nothing, in parts where it is large.

use super::bucket::Bucket;
use crate::body::{Body, Piece};
use crate::detached;
use bytes::Bytes;
use eventflow_domain::{Error, Result};
use futures::FutureExt;
use futures::stream::{FuturesUnordered, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt, UploadPart};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of a part. Some storages want all but the last of one size, and none takes less than 5 MiB; there may be
/// 10,000 of them.
pub(super) const PART: usize = 8 << 20;

/// Parts in memory at once: sent, or being collected.
const IN_FLIGHT: usize = 2;

/// How often a write is sent again that others stood in the way of.
const CONFLICTS: u32 = 4;

const DOING: &str = "store a blob";

/// Writes `first` and what follows it, or leaves nothing, also when this future is dropped.
pub(super) async fn all(bucket: &Arc<Bucket>, to: &Path, first: Piece, body: &mut Body) -> Result<()> {
    let mut unfinished = Unfinished {
        bucket: Arc::clone(bucket),
        to: to.clone(),
        upload: None,
        sending: Sending::new(),
        done: false,
    };
    let stored = if first.more {
        unfinished.in_parts(first.bytes, body).await
    } else {
        unfinished.at_once(first.bytes).await
    };
    stored.map_err(|fault| match fault {
        Fault::Body(error) => error,
        Fault::Store(cause) => bucket.secrets.unavailable(DOING, &cause),
    })?;
    unfinished.done = true;
    Ok(())
}

/// Waits where a write stood in the way of another one (409, which storages tell to send again), a few times.
pub(super) async fn again(cause: &object_store::Error, conflicts: &mut u32) -> bool {
    let conflict = matches!(cause, object_store::Error::AlreadyExists { .. });
    *conflicts += 1;
    if !conflict || *conflicts > CONFLICTS {
        return false;
    }
    tokio::time::sleep(Duration::from_millis(20) * *conflicts).await;
    true
}

/// Collects the next part while others are sent.
async fn next(body: &mut Body, sending: &mut Sending) -> Result<Piece, Fault> {
    let mut piece = pin!(body.piece(PART));
    loop {
        tokio::select! {
            piece = &mut piece => return piece.map_err(Fault::Body),
            Some(sent) = sending.next() => sent?,
        }
    }
}

type Sending = FuturesUnordered<UploadPart>;

/// Whose fault it is that an object was not stored.
enum Fault {
    Body(Error),
    Store(object_store::Error),
}

impl From<object_store::Error> for Fault {
    fn from(cause: object_store::Error) -> Self {
        Self::Store(cause)
    }
}

/// Removes what is there of an object, unless it is done.
struct Unfinished {
    bucket: Arc<Bucket>,
    to: Path,
    upload: Option<Box<dyn MultipartUpload>>,
    sending: Sending,
    done: bool,
}

impl Unfinished {
    async fn at_once(&mut self, bytes: Bytes) -> Result<(), Fault> {
        let (bucket, to) = (Arc::clone(&self.bucket), self.to.clone());
        let put = async move {
            let mut conflicts = 0;
            loop {
                match bucket.store.put(&to, bytes.clone().into()).await {
                    Err(cause) if again(&cause, &mut conflicts).await => {}
                    stored => return stored.map(drop),
                }
            }
        };
        self.sending.push(put.boxed());
        while self.sending.try_next().await?.is_some() {}
        Ok(())
    }

    async fn in_parts(&mut self, first: Bytes, body: &mut Body) -> Result<(), Fault> {
        let upload = self.bucket.store.put_multipart(&self.to).await?;
        let upload = self.upload.insert(upload);
        let sending = &mut self.sending;
        sending.push(upload.put_part(first.into()));
        let mut more = true;
        while more {
            let piece = next(body, sending).await?;
            more = piece.more;
            // Where the last part was full, what comes after it may be nothing.
            if !piece.bytes.is_empty() {
                sending.push(upload.put_part(piece.bytes.into()));
            }
            while sending.len() >= IN_FLIGHT {
                sending.try_next().await?;
            }
        }
        while sending.try_next().await?.is_some() {}
        upload.complete().await?;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let (bucket, to, upload) = (Arc::clone(&self.bucket), self.to.clone(), self.upload.take());
        let mut sending = std::mem::take(&mut self.sending);
        detached::run(async move {
            // What arrives while it is being removed may stay for ever.
            while sending.next().await.is_some() {}
            if let Some(mut upload) = upload
                && let Err(cause) = upload.abort().await
            {
                let cause = bucket.secrets.text(&cause);
                tracing::warn!(%cause, "failed to abort an upload: the bucket's lifecycle rule has to remove its parts");
            }
            // The request may have been carried out though its answer was not heard.
            if let Err(error) = bucket.remove(vec![to]).await {
                let cause = eventflow_domain::error::Chain(&error);
                tracing::warn!(%cause, "failed to remove a blob that was not stored whole: its age will");
            }
        });
    }
}
