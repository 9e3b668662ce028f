//! The registry of a cluster: functions are custom resources, the operator numbers their versions.
//!
//! ```text
//!   apply · pause · delete ──▶ API server (resourceVersion, uid) ──▶ wait until it is seen here
//!                                    │ watch: Functions, ControllerRevisions
//!   get · list · watch ◀── index ◀── join ──▶ mirror in the record: versions outlive the function there
//!   report ──▶ status.report (wasm: only the dispatchers know)
//!   details ──▶ API server: pods and events, where somebody looks at a function
//! ```
//!
//! It does not matter who wrote a Function: kubectl and the API make the same thing. What is shown of one is always
//! whole: the code that is shown is that of the version that is shown. A change of code that the operator has not
//! numbered yet is held back; one that has no version at all has version 0.

mod details;
mod join;
mod mirror;
mod refused;
mod report;
mod seen;
mod write;

use crate::index::Index;
use crate::shared::unknown::Unknown;
use crate::versions::Versions;
use async_trait::async_trait;
use details::Details;
use eventflow_crd as crd;
use eventflow_domain::ports::{Applied, Apply, Clock, FunctionRegistry, RegistryEvent, SharedFunctionStore};
use eventflow_domain::{
    Error, ErrorKind, Function, FunctionKey, FunctionUid, FunctionVersion, Namespace, Readiness, Result,
    VersionNumber,
};
use eventflow_kubernetes::{Cache, Events, Namespaces, Selector};
use futures::stream::BoxStream;
use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::core::DeserializeGuard;
use kube::{Client, ResourceExt as _};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A Function as it is watched: a bad one does not hide the others.
type Watched = DeserializeGuard<crd::Function>;

struct Inner {
    client: Client,
    namespaces: Namespaces,
    functions: Cache<Watched>,
    revisions: Cache<ControllerRevision>,
    /// The record keeps versions for as long as a call names them.
    store: Arc<dyn SharedFunctionStore>,
    clock: Arc<dyn Clock>,
    index: Index,
    versions: Versions,
    unknown: Unknown,
    details: Details,
    /// Whose code is newer than its newest version, by the generation that is not numbered yet.
    pending: Mutex<HashMap<FunctionUid, i64>>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KubernetesRegistry").field("index", &self.index).finish_non_exhaustive()
    }
}

/// Functions as custom resources.
#[derive(Debug, Clone)]
pub struct KubernetesRegistry(Arc<Inner>);

impl KubernetesRegistry {
    /// Empty before the future runs; it does not end. [`Self::listed`] says when it is not.
    pub fn open(
        client: Client,
        namespaces: Namespaces,
        store: Arc<dyn SharedFunctionStore>,
        clock: Arc<dyn Clock>,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (functions, watching) =
            Cache::follow(client.clone(), &namespaces, Selector::default(), |_: &mut Watched| ());
        let of_functions = Selector { labels: crd::names::FUNCTION_UID };
        let (revisions, revising) = Cache::follow(client.clone(), &namespaces, of_functions, prune);
        let (events, hearing) = Events::follow(client.clone(), &namespaces);
        let (changed, numbered) = (functions.changes(), revisions.changes());
        let inner = Arc::new(Inner {
            client,
            namespaces,
            functions,
            revisions,
            store,
            clock,
            index: Index::default(),
            versions: Versions::default(),
            unknown: Unknown::default(),
            details: Details::new(events),
            pending: Mutex::default(),
        });
        let (joining, mirroring) = (Arc::clone(&inner), Arc::clone(&inner));
        let following = async move {
            tokio::join!(
                watching,
                revising,
                hearing,
                join::follow(&joining, changed, numbered),
                mirror::follow(&mirroring),
            );
        };
        (Self(inner), following)
    }

    /// Waits until all that is declared was seen once.
    pub async fn listed(&self) {
        self.0.functions.listed(&self.0.namespaces).await;
        self.0.revisions.listed(&self.0.namespaces).await;
        self.0.join_all();
    }

    /// For how long the worst of the watches has given nothing but errors.
    pub fn failing_for(&self) -> Duration {
        self.0.functions.failing_for().max(self.0.revisions.failing_for())
    }

    /// Who manages a function: the field manager of its spec, or the caller that the api named.
    pub fn managed_by(&self, key: &FunctionKey) -> Option<String> {
        let object = self.0.functions.get(key.namespace.as_str(), key.name.as_str())?;
        object.0.as_ref().ok().map(|object| crd::by(&object.metadata))
    }
}

fn prune(revision: &mut ControllerRevision) {
    revision.metadata.managed_fields = None;
}

impl Inner {
    /// Versions that the cluster knows, by number.
    fn revisions_of(
        &self,
        key: &FunctionKey,
        uid: FunctionUid,
    ) -> BTreeMap<VersionNumber, Arc<FunctionVersion>> {
        let of = self.revisions.list_in(key.namespace.as_str(), |revision| crd::runs(revision, uid));
        let mut found = BTreeMap::new();
        for revision in of {
            match crd::version(&revision) {
                Ok(version) => drop(found.insert(version.number, Arc::new(version))),
                Err(error) => {
                    tracing::warn!(revision = %revision.name_any(), %error, "a ControllerRevision is no version");
                }
            }
        }
        found
    }

    async fn version(&self, uid: FunctionUid, number: VersionNumber) -> Result<Arc<FunctionVersion>> {
        if let Some(version) = self.versions.get(uid, number) {
            return Ok(version);
        }
        let here = self.index.get_by_uid(uid);
        let here = here.and_then(|function| self.revisions_of(&function.key, uid).remove(&number));
        let version = if let Some(version) = here {
            version
        } else {
            let kept = self.store.version_get(uid, number).await?;
            Arc::new(kept.ok_or_else(|| version_not_found(uid, number))?)
        };
        self.versions.insert(Arc::clone(&version));
        Ok(version)
    }

    async fn versions(&self, uid: FunctionUid) -> Result<Vec<Arc<FunctionVersion>>> {
        let kept = self.store.version_list(uid).await?;
        let mut all: BTreeMap<_, _> =
            kept.into_iter().map(|version| (version.number, Arc::new(version))).collect();
        if let Some(function) = self.index.get_by_uid(uid) {
            all.extend(self.revisions_of(&function.key, uid));
        }
        Ok(all.into_values().rev().collect())
    }
}

fn version_not_found(uid: FunctionUid, number: VersionNumber) -> Error {
    Error::new(ErrorKind::NotFound, "VersionNotFound", format!("version {number} does not exist"))
        .with_metadata("uid", uid)
        .with_metadata("version", number)
}

#[async_trait]
impl FunctionRegistry for KubernetesRegistry {
    async fn apply(&self, apply: Apply) -> Result<Applied> {
        self.0.apply(&apply).await
    }

    fn get(&self, key: &FunctionKey) -> Option<Arc<Function>> {
        self.0.index.get(key)
    }

    async fn refresh(&self, key: &FunctionKey) -> Result<Option<Arc<Function>>> {
        self.0.refresh(key).await
    }

    async fn details(&self, function: Arc<Function>) -> Arc<Function> {
        self.0.details(function).await
    }

    fn get_by_uid(&self, uid: FunctionUid) -> Option<Arc<Function>> {
        self.0.index.get_by_uid(uid)
    }

    fn list(&self, namespace: Option<&Namespace>) -> Vec<Arc<Function>> {
        self.0.index.list(namespace)
    }

    async fn delete(&self, key: &FunctionKey, etag: Option<&str>) -> Result<Arc<Function>> {
        self.0.delete(key, etag).await
    }

    async fn set_paused(&self, key: &FunctionKey, paused: bool) -> Result<Arc<Function>> {
        self.0.set_paused(key, paused).await
    }

    async fn version(&self, uid: FunctionUid, number: VersionNumber) -> Result<Arc<FunctionVersion>> {
        self.0.version(uid, number).await
    }

    async fn versions(&self, uid: FunctionUid) -> Result<Vec<Arc<FunctionVersion>>> {
        self.0.versions(uid).await
    }

    async fn report(&self, uid: FunctionUid, version: VersionNumber, readiness: Readiness) -> Result<()> {
        self.0.report(uid, version, &readiness).await
    }

    fn watch(&self) -> BoxStream<'static, RegistryEvent> {
        self.0.index.watch()
    }
}
