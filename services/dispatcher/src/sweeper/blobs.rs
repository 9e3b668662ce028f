//! Blobs that no record and no version names.

use crate::core::Core;
use eventflow_domain::Result;
use futures::TryStreamExt as _;
use std::sync::Arc;

/// Everything we store lies under one of these.
const PREFIXES: [&str; 3] = ["payloads", "results", "artifacts"];
/// Keys asked about at once.
const BATCH: usize = 500;

/// Removes unused blobs that are old enough not to be on their way into a record.
pub(super) async fn collect(core: &Core) -> Result<()> {
    let oldest = core.ports.clock.now() - core.config.blob_min_age;
    for prefix in PREFIXES {
        let mut listed = core.ports.blobs.list(prefix).await?;
        let mut old = Vec::new();
        while let Some(blob) = listed.try_next().await? {
            if blob.modified_at < oldest {
                old.push(blob.key);
            }
            if old.len() == BATCH {
                remove_unused(core, std::mem::take(&mut old)).await?;
            }
        }
        remove_unused(core, old).await?;
    }
    Ok(())
}

async fn remove_unused(core: &Core, keys: Vec<Arc<str>>) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let used = core.ports.store.blobs_in_use(keys.clone()).await?;
    for (key, _) in keys.iter().zip(used).filter(|(_, used)| !used) {
        core.ports.blobs.delete(key).await?;
    }
    Ok(())
}
