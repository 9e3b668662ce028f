//! Writing a stream under a key: all of it or nothing.

use super::errors::{self, Doing};
use crate::body::{interrupted, too_large};
use bytes::Bytes;
use eventflow_domain::Result;
use eventflow_domain::ports::ByteStream;
use futures::StreamExt;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use sha2::{Digest, Sha256};

/// Bytes collected before they are written; each put holds about so much memory.
const PART: usize = 1 << 20;

const PUT: Doing = Doing("store a blob");

/// Chunks of one part: a sender of single bytes must not cost a list of a million.
const CHUNKS: usize = 1024;

pub(super) struct Upload<'a> {
    pub(super) bytes: ByteStream,
    /// Bytes it may have in all.
    pub(super) limit: u64,
    /// Is fed all bytes.
    pub(super) hash: Option<&'a mut Sha256>,
}

/// Writes the whole upload, or leaves nothing, also when this future is dropped. Returns its size.
pub(super) async fn all(store: &dyn ObjectStore, key: &Path, mut upload: Upload<'_>) -> Result<u64> {
    let mut size = 0;
    let (first, more) = part(&mut upload, &mut size).await?;
    if !more {
        store.put(key, first).await.map_err(|cause| errors::of(PUT, cause))?;
        return Ok(size);
    }
    let mut parts = store.put_multipart(key).await.map_err(|cause| errors::of(PUT, cause))?;
    let written = write_parts(parts.as_mut(), first, &mut upload, &mut size).await;
    if let Err(error) = written {
        // Dropping it would do the same later; this way it is gone when the caller hears of the failure.
        if let Err(cause) = parts.abort().await {
            tracing::warn!(%key, %cause, "failed to remove a blob that was not stored whole");
        }
        return Err(error);
    }
    Ok(size)
}

async fn write_parts(
    parts: &mut dyn MultipartUpload,
    first: PutPayload,
    upload: &mut Upload<'_>,
    size: &mut u64,
) -> Result<()> {
    let mut next = (first, true);
    loop {
        let (bytes, more) = next;
        parts.put_part(bytes).await.map_err(|cause| errors::of(PUT, cause))?;
        if !more {
            break;
        }
        next = part(upload, size).await?;
    }
    parts.complete().await.map_err(|cause| errors::of(PUT, cause))?;
    Ok(())
}

/// The next bytes to write, without copying them, and whether there may be more.
async fn part(upload: &mut Upload<'_>, size: &mut u64) -> Result<(PutPayload, bool)> {
    let mut chunks: Vec<Bytes> = Vec::new();
    let mut length = 0;
    while length < PART && chunks.len() < CHUNKS {
        let Some(chunk) = upload.bytes.next().await else {
            return Ok((chunks.into_iter().collect(), false));
        };
        let chunk = chunk.map_err(interrupted)?;
        *size += chunk.len() as u64;
        if *size > upload.limit {
            return Err(too_large(upload.limit, *size));
        }
        if let Some(hash) = upload.hash.as_deref_mut() {
            hash.update(&chunk);
        }
        length += chunk.len();
        chunks.push(chunk);
    }
    Ok((chunks.into_iter().collect(), true))
}
