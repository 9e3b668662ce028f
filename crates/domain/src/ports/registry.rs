use crate::error::Result;
use crate::function::{Function, FunctionKey, FunctionVersion, Readiness};
use crate::ids::{FunctionUid, VersionNumber};
use crate::names::Namespace;
use crate::spec::FunctionSpec;
use async_trait::async_trait;
use futures_core::stream::BoxStream;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

/// What must hold for an apply.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Precondition {
    #[default]
    None,
    /// `If-None-Match: *`: there must be no such function; else `AlreadyExists`.
    Absent,
    /// `If-Match`: it must have this etag; else `PreconditionFailed`.
    Etag(String),
}

/// A declaration to carry out.
#[derive(Debug, Clone)]
pub struct Apply {
    pub key: FunctionKey,
    pub spec: FunctionSpec,
    pub precondition: Precondition,
    pub by: Arc<str>,
    /// Check only; nothing is stored.
    pub dry_run: bool,
}

#[derive(Debug, Clone)]
pub struct Applied {
    pub function: Arc<Function>,
    pub created: bool,
    /// Whether anything differs from before.
    pub changed: bool,
}

#[derive(Debug, Clone)]
pub enum RegistryEvent {
    /// Created, or changed in any way, status included.
    Changed(Arc<Function>),
    Deleted(Arc<Function>),
    /// The listener missed some: list again.
    Resync,
}

/// The declared functions: the one place that numbers versions.
///
/// `get` and `list` answer from memory. Reads of a function just applied through this registry see it.
#[async_trait]
pub trait FunctionRegistry: Debug + Send + Sync {
    /// Creates or fully replaces. A change of code makes a version (`FunctionSpec::same_code`); equal to what is
    /// there changes nothing. Errors: `AlreadyExists`, `PreconditionFailed`, `WrongState` while it is being deleted.
    async fn apply(&self, apply: Apply) -> Result<Applied>;

    fn get(&self, key: &FunctionKey) -> Option<Arc<Function>>;

    /// The number of the last change, by any process, that `get` and `list` show; 0 where one process has them all.
    fn revision(&self) -> u64 {
        0
    }

    /// Waits until changes up to `revision` are shown, at most `patience`.
    async fn catch_up(&self, revision: u64, patience: Duration) {
        let _ = (revision, patience);
    }

    /// As `get`, but looks once at what other processes declared before it says that there is none. `Unavailable`
    /// where that cannot be seen now.
    async fn refresh(&self, key: &FunctionKey) -> Result<Option<Arc<Function>>> {
        Ok(self.get(key))
    }

    /// The same function with what is looked up only where somebody asks: its copies one by one, and what happened to
    /// its objects lately. Never fails: what cannot be seen now is as it was seen last, or left out.
    async fn details(&self, function: Arc<Function>) -> Arc<Function> {
        function
    }

    fn get_by_uid(&self, uid: FunctionUid) -> Option<Arc<Function>>;

    /// In the order of their keys; all namespaces where none is given.
    fn list(&self, namespace: Option<&Namespace>) -> Vec<Arc<Function>>;

    /// Removes the function. Its versions stay as long as records name them. `NotFound` if there is none;
    /// `PreconditionFailed` where the etag is another.
    async fn delete(&self, key: &FunctionKey, etag: Option<&str>) -> Result<Arc<Function>>;

    /// `NotFound` if there is none; setting it again is fine.
    async fn set_paused(&self, key: &FunctionKey, paused: bool) -> Result<Arc<Function>>;

    /// A version, of a deleted function too while a record names it. Cached.
    async fn version(&self, uid: FunctionUid, number: VersionNumber) -> Result<Arc<FunctionVersion>>;

    /// Newest first.
    async fn versions(&self, uid: FunctionUid) -> Result<Vec<Arc<FunctionVersion>>>;

    /// What the runtime found about a version; ignored where the function is gone or another version is current.
    async fn report(&self, uid: FunctionUid, version: VersionNumber, readiness: Readiness) -> Result<()>;

    /// Changes from now on.
    fn watch(&self) -> BoxStream<'static, RegistryEvent>;
}
