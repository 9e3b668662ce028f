//! All blobs under a prefix, page by page.

use super::bucket::{Bucket, Generation};
use eventflow_domain::ports::BlobInfo;
use eventflow_domain::{Error, Result};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::ObjectMeta;
use std::sync::Arc;

/// Where the listing is.
struct Cursor {
    bucket: Arc<Bucket>,
    prefix: String,
    page: Page,
    /// The blob whose objects are being listed. They follow each other, also over the end of a page.
    last: Option<BlobInfo>,
}

enum Page {
    First,
    Next(String),
    End,
}

pub(super) fn all(bucket: Arc<Bucket>, prefix: &str) -> BoxStream<'static, Result<BlobInfo>> {
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    let cursor = Cursor { bucket, prefix, page: Page::First, last: None };
    let pages = stream::try_unfold(cursor, |mut cursor| async move {
        let token = match std::mem::replace(&mut cursor.page, Page::End) {
            Page::First => None,
            Page::Next(token) => Some(token),
            Page::End => return Ok::<_, Error>(None),
        };
        let found = cursor.bucket.page(&cursor.prefix, token).await?;
        let mut whole = cursor.merge(found.result.objects);
        match found.page_token {
            Some(token) => cursor.page = Page::Next(token),
            None => whole.extend(cursor.last.take()),
        }
        Ok(Some((stream::iter(whole.into_iter().map(Ok)), cursor)))
    });
    pages.try_flatten().boxed()
}

impl Cursor {
    /// The blobs that are whole: all but the last one.
    fn merge(&mut self, objects: Vec<ObjectMeta>) -> Vec<BlobInfo> {
        let mut whole = Vec::new();
        for (key, Generation { modified_at, size, .. }) in
            objects.into_iter().filter_map(|object| self.bucket.read(object))
        {
            match &mut self.last {
                Some(last) if *last.key == *key => {
                    if modified_at >= last.modified_at {
                        (last.modified_at, last.size) = (modified_at, size);
                    }
                }
                last => whole.extend(last.replace(BlobInfo { key: key.into(), size, modified_at })),
            }
        }
        whole
    }
}
