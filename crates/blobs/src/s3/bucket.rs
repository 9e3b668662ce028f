//! The bucket, and how keys are named in it.
//!
//! S3 has no step that looks at an object's age and removes it, and none that makes an object young in place. So a
//! blob is a set of objects of equal content, one for each time it was written or touched: `<key>/G<uuid v7>`. No name
//! is ever used twice: a removal that was decided on takes what it saw, never what came after, however late it is
//! carried out. The blob is there while any of its objects is, and as young as the youngest.

use super::errors::Secrets;
use crate::errors::not_found;
use crate::key;
use eventflow_domain::{Result, Timestamp};
use object_store::aws::AmazonS3;
use object_store::list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};
use std::fmt;
use uuid::Uuid;

/// Before a generation's id. An upper-case letter: no key has one.
const MARK: char = 'G';

/// Lists without an object before a blob is said not to be there.
const LOOKS: usize = 3;

/// Where large artifacts are written until their digest is known.
pub(super) const INCOMING: &str = "Incoming";
/// Where the start tries what it may do.
pub(super) const PROBE: &str = "Probe";

/// One object of a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Generation {
    pub(super) path: Path,
    pub(super) modified_at: Timestamp,
    pub(super) size: u64,
}

pub(super) struct Bucket {
    pub(super) store: AmazonS3,
    /// Empty, or with a slash at its end.
    root: String,
    pub(super) secrets: Secrets,
}

impl fmt::Debug for Bucket {
    /// Not the store: it holds the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket")
            .field("bucket", &self.store.to_string())
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

impl Bucket {
    pub(super) fn new(store: AmazonS3, prefix: &str, secrets: Secrets) -> Self {
        let root = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Self { store, root, secrets }
    }

    /// The name of the next object of a blob.
    pub(super) fn next(&self, key: &str) -> Path {
        self.path(&format!("{key}/{MARK}{}", Uuid::now_v7().simple()))
    }

    /// A name in a folder of ours, which is not that of a blob.
    pub(super) fn aside(&self, folder: &str) -> Path {
        self.path(&format!("{folder}/{}", Uuid::now_v7().simple()))
    }

    fn path(&self, name: &str) -> Path {
        Path::from(format!("{}{name}", self.root))
    }

    /// All objects of a blob, the youngest first. None: there is no such blob.
    pub(super) async fn generations(&self, key: &str) -> Result<Vec<Generation>> {
        key::parse(key)?;
        let prefix = format!("{key}/{MARK}");
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let page = self.page(&prefix, token).await?;
            found.extend(page.result.objects.into_iter().filter_map(|object| Some(self.read(object)?.1)));
            token = page.page_token;
            if token.is_none() {
                break;
            }
        }
        found.sort_by(|a, b| (b.modified_at, &b.path).cmp(&(a.modified_at, &a.path)));
        Ok(found)
    }

    /// The same of a blob that is there, else `NotFound`. A list may miss an object that came while it was made, and the
    /// one in whose place it came; the next list sees it.
    pub(super) async fn present(&self, key: &str) -> Result<Vec<Generation>> {
        for _ in 0..LOOKS {
            let found = self.generations(key).await?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Err(not_found(key))
    }

    /// Up to 1,000 objects whose names start so, in their order.
    pub(super) async fn page(&self, prefix: &str, token: Option<String>) -> Result<PaginatedListResult> {
        let options = PaginatedListOptions { page_token: token, ..PaginatedListOptions::default() };
        let page = self.store.list_paginated(Some(&format!("{}{prefix}", self.root)), options).await;
        page.map_err(|cause| self.secrets.unavailable("list blobs", &cause))
    }

    /// The key and the generation that an object is; `None` where it is something else.
    pub(super) fn read(&self, object: ObjectMeta) -> Option<(String, Generation)> {
        let name = object.location.as_ref().strip_prefix(&self.root)?;
        let (key, generation) = name.rsplit_once('/')?;
        key::parse(key).ok()?;
        let named_at = written_at(generation.strip_prefix(MARK)?)?;
        // Servers tell whole seconds only; a clock of ours that is behind must not make a blob old.
        let stored_at = Timestamp::from_micros(object.last_modified.timestamp_micros());
        let modified_at = named_at.max(stored_at);
        Some((key.to_owned(), Generation { modified_at, size: object.size, path: object.location }))
    }

    /// Removes objects; those that are gone are fine.
    pub(super) async fn remove(&self, paths: Vec<Path>) -> Result<()> {
        for path in paths {
            match self.store.delete(&path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(cause) => return Err(self.secrets.unavailable("delete a blob", &cause)),
            }
        }
        Ok(())
    }

    /// Removes what `folder` has from more than `age` ago.
    pub(super) async fn tidy(&self, folder: &str, age: std::time::Duration) -> Result<()> {
        let now = written_at(&Uuid::now_v7().simple().to_string()).unwrap_or_default();
        let mut token = None;
        loop {
            let page = self.page(&format!("{folder}/"), token).await?;
            let names = page.result.objects.into_iter().map(|object| object.location);
            let is_old = |path: &Path| path.filename().and_then(written_at).is_some_and(|at| at + age < now);
            self.remove(names.filter(is_old).collect()).await?;
            token = page.page_token;
            if token.is_none() {
                return Ok(());
            }
        }
    }
}

/// When an id was made, to the millisecond.
fn written_at(id: &str) -> Option<Timestamp> {
    let (seconds, nanos) = Uuid::try_parse(id).ok()?.get_timestamp()?.to_unix();
    Some(Timestamp::from_micros(i64::try_from(seconds).ok()? * 1_000_000 + i64::from(nanos / 1000)))
}
