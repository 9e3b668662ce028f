//! The start tries all that will be needed: a right that is missing is found by the person who starts it, not by the
//! first caller whose payload is large.

use super::bucket::{Bucket, INCOMING, PROBE};
use super::config::OpenError;
use bytes::Bytes;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt, PutPayload};
use std::time::Duration;

/// A put that takes longer than this has ended some other way.
const STALE: Duration = Duration::from_secs(24 * 3600);

pub(super) async fn run(bucket: &Bucket, name: &str) -> Result<(), OpenError> {
    let (written, copied) = (bucket.aside(PROBE), bucket.aside(PROBE));
    let tried = objects(bucket, name, &written, &copied).await;
    let removed = bucket.remove(vec![written, copied]).await;
    tried?;
    removed.map_err(|source| OpenError::Probe {
        doing: "delete an object",
        bucket: name.to_owned(),
        source,
    })?;
    for folder in [INCOMING, PROBE] {
        let tidied = bucket.tidy(folder, STALE).await;
        let doing = "remove what interrupted uploads left";
        tidied.map_err(|source| OpenError::Probe { doing, bucket: name.to_owned(), source })?;
    }
    Ok(())
}

async fn objects(bucket: &Bucket, name: &str, written: &Path, copied: &Path) -> Result<(), OpenError> {
    let failed = |doing: &'static str| {
        move |cause: object_store::Error| {
            let source = bucket.secrets.unavailable(doing, &cause);
            OpenError::Probe { doing, bucket: name.to_owned(), source }
        }
    };
    let other = |found| OpenError::Inconsistent { bucket: name.to_owned(), found };
    let store = &bucket.store;
    let bytes = Bytes::from(written.to_string());
    store.put(written, PutPayload::from(bytes.clone())).await.map_err(failed("write an object"))?;
    let mut upload = store.put_multipart(copied).await.map_err(failed("begin an upload in parts"))?;
    upload.abort().await.map_err(failed("abort an upload in parts"))?;
    store.copy(written, copied).await.map_err(failed("copy an object"))?;
    let read = store.get_opts(copied, GetOptions::default()).await.map_err(failed("read an object"))?;
    if read.bytes().await.map_err(failed("read an object"))? != bytes {
        return Err(other("is read with other bytes"));
    }
    let listed = bucket.page(&format!("{PROBE}/"), None).await;
    let doing = "list objects";
    let listed = listed.map_err(|source| OpenError::Probe { doing, bucket: name.to_owned(), source })?;
    // More than a page of them are other starts.
    if listed.page_token.is_none() && !listed.result.objects.iter().any(|found| found.location == *written) {
        return Err(other("is not listed at once"));
    }
    Ok(())
}
