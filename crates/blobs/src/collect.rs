//! Removes blobs that nothing refers to.

use eventflow_domain::ports::{BlobInfo, BlobKey, Blobs};
use eventflow_domain::{Error, Result, Timestamp};
use futures::StreamExt;
use std::future::Future;

/// Where collectable blobs lie.
pub const PREFIXES: [&str; 3] = ["payloads", "results", "artifacts"];

/// Keys asked about at once.
const BATCH: usize = 256;

/// What a collection did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Collected {
    /// Blobs removed, and their bytes.
    pub removed: u64,
    pub bytes: u64,
    /// Blobs that are old enough and in use.
    pub kept: u64,
}

/// Removes blobs written before `before` (one hour ago) that `in_use` does not know.
///
/// `in_use` answers for each of up to 256 keys, in their order, and must err on the side of `true`. A blob is
/// written before the record that names it is committed: the age is what protects it meanwhile. Ends at the first
/// error, with what was removed so far gone; the next run goes on.
pub async fn collect<F, Answer>(blobs: &dyn Blobs, before: Timestamp, in_use: F) -> Result<Collected>
where
    F: Fn(Vec<BlobKey>) -> Answer + Send + Sync,
    Answer: Future<Output = Result<Vec<bool>>> + Send,
{
    let mut collected = Collected::default();
    for prefix in PREFIXES {
        let mut listed = blobs.list(prefix).await?;
        let mut batch = Vec::with_capacity(BATCH);
        while let Some(blob) = listed.next().await {
            let blob = blob?;
            if blob.modified_at < before {
                batch.push(blob);
            }
            if batch.len() == BATCH {
                remove_unused(blobs, std::mem::take(&mut batch), &in_use, &mut collected).await?;
            }
        }
        remove_unused(blobs, batch, &in_use, &mut collected).await?;
    }
    Ok(collected)
}

async fn remove_unused<F, Answer>(
    blobs: &dyn Blobs,
    batch: Vec<BlobInfo>,
    in_use: &F,
    collected: &mut Collected,
) -> Result<()>
where
    F: Fn(Vec<BlobKey>) -> Answer + Send + Sync,
    Answer: Future<Output = Result<Vec<bool>>> + Send,
{
    if batch.is_empty() {
        return Ok(());
    }
    let used = in_use(batch.iter().map(|blob| blob.key.clone()).collect()).await?;
    if used.len() != batch.len() {
        let cause = format!("{} answers for {} keys", used.len(), batch.len());
        return Err(Error::internal("learn which blobs are in use", cause));
    }
    for (blob, used) in batch.into_iter().zip(used) {
        if used {
            collected.kept += 1;
        } else {
            blobs.delete(&blob.key).await?;
            collected.removed += 1;
            collected.bytes += blob.size;
        }
    }
    Ok(())
}
