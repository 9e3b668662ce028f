//! The registry of many processes over one SQL store: each holds an index of all functions in memory, fed by the
//! news of the store.

mod follow;
mod read;
mod reports;
mod tell;
mod turns;
pub(crate) mod unknown;
mod write;

use crate::declared::Declared;
use crate::detached;
use crate::index::Index;
use async_trait::async_trait;
use eventflow_domain::ports::{Applied, Apply, Clock, FunctionRegistry, RegistryEvent, SharedFunctionStore};
use eventflow_domain::{
    Function, FunctionKey, FunctionUid, FunctionVersion, Namespace, Readiness, Result, VersionNumber,
    WorkerId,
};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use parking_lot::Mutex;
use reports::Reports;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use turns::Turns;
use unknown::Unknown;

/// How long a write waits at most for the news of itself. They come within milliseconds, or the store is in trouble.
const SETTLES: Duration = Duration::from_secs(1);

/// How a registry takes part.
#[derive(Debug, Clone)]
pub struct Options {
    /// Under which name this process reports readiness; no other process, and no earlier life of this one, has it.
    pub worker: WorkerId,
    /// How often all functions are compared with the store, whatever its news say, and how often the store hears that
    /// this process is alive. Workers count as silent after 2 minutes: keep it well below.
    pub reconcile_every: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { worker: WorkerId::generate("registry"), reconcile_every: Duration::from_secs(30) }
    }
}

/// One of many writers of its store. Cheap to clone.
///
/// A write is planned on the row as it is stored, and planned again where another writer was faster. What this
/// process wrote it shows at once; what others wrote, when the news come, usually within milliseconds. Between two
/// looks only the latest of several changes is told. While the store is away, what was declared last stays known.
#[derive(Debug, Clone)]
pub struct SharedRegistry(Arc<Inner>);

/// What keeps the registry up to date: to be driven as long as the registry is used. It never ends and can be
/// dropped at any time.
pub type Following = BoxFuture<'static, ()>;

#[derive(Debug)]
struct Inner {
    declared: Declared<dyn SharedFunctionStore>,
    reports: Reports,
    turns: Turns,
    unknown: Unknown,
    /// The number of the last change that is shown, with all before it.
    revision: watch::Sender<u64>,
    /// When all functions were last compared, by the monotonic clock.
    compared: Mutex<Duration>,
}

impl SharedRegistry {
    /// Loads all functions and what is reported of them. `Unavailable` where the store is.
    pub async fn open(
        store: Arc<dyn SharedFunctionStore>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<(Self, Following)> {
        let inner = Arc::new(Inner {
            compared: Mutex::new(clock.monotonic()),
            declared: Declared::new(store, clock, Index::default()),
            reports: Reports::new(options.worker),
            turns: Turns::default(),
            unknown: Unknown::default(),
            revision: watch::Sender::new(0),
        });
        let revision = inner.declared.store.function_revision().await?;
        inner.compare().await?;
        inner.seen(revision);
        let follow = follow::follow(Arc::clone(&inner), options.reconcile_every);
        let tell = tell::tell(Arc::clone(&inner), options.reconcile_every);
        let following = async move {
            tokio::join!(follow, tell);
        };
        Ok((Self(inner), following.boxed()))
    }

    /// How long ago all functions were last compared with the store: more than a few times
    /// [`Options::reconcile_every`] means that what is shown may be old.
    pub fn compared_ago(&self) -> Duration {
        self.0.declared.clock.monotonic().saturating_sub(*self.0.compared.lock())
    }
}

impl Inner {
    /// All changes up to this number are shown.
    fn seen(&self, revision: u64) {
        self.revision.send_if_modified(|seen| {
            let newer = revision > *seen;
            *seen = revision.max(*seen);
            newer
        });
    }

    async fn caught_up(&self, revision: u64, patience: Duration) {
        let mut seen = self.revision.subscribe();
        // Late is late: what is shown then is as good as it was before there were numbers.
        let _late = tokio::time::timeout(patience, seen.wait_for(|seen| *seen >= revision)).await;
    }

    /// After a write: what this process tells of its state has it, so that nobody is led behind it.
    async fn settled(&self) {
        if let Ok(revision) = self.declared.store.function_revision().await {
            self.caught_up(revision, SETTLES).await;
        }
    }
}

#[async_trait]
impl FunctionRegistry for SharedRegistry {
    async fn apply(&self, apply: Apply) -> Result<Applied> {
        let inner = Arc::clone(&self.0);
        let written = async move {
            let applied = inner.apply(&apply).await?;
            if applied.changed && !apply.dry_run {
                inner.settled().await;
            }
            Ok(applied)
        };
        detached::to_the_end("apply a function", written).await
    }

    fn revision(&self) -> u64 {
        *self.0.revision.borrow()
    }

    async fn catch_up(&self, revision: u64, patience: Duration) {
        if self.revision() < revision {
            self.0.caught_up(revision, patience).await;
        }
    }

    fn get(&self, key: &FunctionKey) -> Option<Arc<Function>> {
        self.0.declared.index.get(key)
    }

    /// Remembers for a second that there is none, and reads few at once: a flood of unknown names is answered from
    /// memory, or refused as `Unavailable`.
    async fn refresh(&self, key: &FunctionKey) -> Result<Option<Arc<Function>>> {
        self.0.refresh(key).await
    }

    fn get_by_uid(&self, uid: FunctionUid) -> Option<Arc<Function>> {
        self.0.declared.index.get_by_uid(uid)
    }

    fn list(&self, namespace: Option<&Namespace>) -> Vec<Arc<Function>> {
        self.0.declared.index.list(namespace)
    }

    async fn delete(&self, key: &FunctionKey, etag: Option<&str>) -> Result<Arc<Function>> {
        let (inner, key, etag) = (Arc::clone(&self.0), key.clone(), etag.map(str::to_owned));
        let delete = async move {
            let deleted = inner.delete(&key, etag.as_deref()).await?;
            inner.settled().await;
            Ok(deleted)
        };
        detached::to_the_end("delete a function", delete).await
    }

    async fn set_paused(&self, key: &FunctionKey, paused: bool) -> Result<Arc<Function>> {
        let (inner, key) = (Arc::clone(&self.0), key.clone());
        let pause = async move {
            let paused = inner.set_paused(&key, paused).await?;
            inner.settled().await;
            Ok(paused)
        };
        detached::to_the_end("pause a function", pause).await
    }

    async fn version(&self, uid: FunctionUid, number: VersionNumber) -> Result<Arc<FunctionVersion>> {
        self.0.declared.version(uid, number).await
    }

    async fn versions(&self, uid: FunctionUid) -> Result<Vec<Arc<FunctionVersion>>> {
        self.0.declared.versions(uid).await
    }

    /// Seen here at once, by other processes when the store was told; it is told until it takes it.
    async fn report(&self, uid: FunctionUid, version: VersionNumber, readiness: Readiness) -> Result<()> {
        self.0.report(uid, version, readiness);
        Ok(())
    }

    fn watch(&self) -> BoxStream<'static, RegistryEvent> {
        self.0.declared.index.watch()
    }
}
