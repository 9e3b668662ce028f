//! Blobs that no record and no version names.

use eventflow_domain::ports::{BlobInfo, BlobKey, Blobs};
use eventflow_domain::{Error, Result, Timestamp};
use futures::TryStreamExt as _;
use std::future::Future;

/// Everything we store lies under one of these.
const PREFIXES: [&str; 3] = ["payloads", "results", "artifacts"];
/// Keys asked about at once.
const BATCH: usize = 256;

/// What a collection did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Collected {
    /// Blobs removed, and their bytes.
    pub(super) removed: u64,
    pub(super) bytes: u64,
    /// Blobs that are old enough and in use.
    pub(super) kept: u64,
}

/// Removes blobs written before `before` that `in_use` does not know.
///
/// `in_use` answers for each of up to 256 keys, in their order, and must err on the side of `true`. A blob is written
/// before the record that names it is committed, and touched before one more names it: the age is what protects it
/// meanwhile. Ends at the first error, with what was removed so far gone; the next run goes on.
pub(super) async fn collect<F, Answer>(blobs: &dyn Blobs, before: Timestamp, in_use: F) -> Result<Collected>
where
    F: Fn(Vec<BlobKey>) -> Answer + Send + Sync,
    Answer: Future<Output = Result<Vec<bool>>> + Send,
{
    let mut collected = Collected::default();
    for prefix in PREFIXES {
        let mut listed = blobs.list(prefix).await?;
        let mut old = Vec::new();
        while let Some(blob) = listed.try_next().await? {
            if blob.modified_at < before {
                old.push(blob);
            }
            if old.len() == BATCH {
                remove_unused(blobs, before, std::mem::take(&mut old), &in_use, &mut collected).await?;
            }
        }
        remove_unused(blobs, before, old, &in_use, &mut collected).await?;
    }
    Ok(collected)
}

async fn remove_unused<F, Answer>(
    blobs: &dyn Blobs,
    before: Timestamp,
    old: Vec<BlobInfo>,
    in_use: &F,
    collected: &mut Collected,
) -> Result<()>
where
    F: Fn(Vec<BlobKey>) -> Answer + Send + Sync,
    Answer: Future<Output = Result<Vec<bool>>> + Send,
{
    if old.is_empty() {
        return Ok(());
    }
    let used = in_use(old.iter().map(|blob| blob.key.clone()).collect()).await?;
    if used.len() != old.len() {
        let cause = format!("{} answers for {} keys", used.len(), old.len());
        return Err(Error::internal("learn which blobs are in use", cause));
    }
    for (blob, used) in old.into_iter().zip(used) {
        if used {
            collected.kept += 1;
        } else if blobs.delete_older(&blob.key, before).await? {
            collected.removed += 1;
            collected.bytes += blob.size;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
