//! The registry of the local shape: rows in the SQL store, an index of all of them in memory.

mod detached;
mod index;
mod merge;
mod plan;
mod versions;

use async_trait::async_trait;
use eventflow_domain::ports::{
    Applied, Apply, Clock, FunctionRegistry, FunctionRow, FunctionStore, RegistryEvent,
};
use eventflow_domain::{
    Error, ErrorKind, Function, FunctionKey, FunctionUid, FunctionVersion, Namespace, Readiness, Result,
    VersionNumber,
};
use futures::stream::BoxStream;
use index::Index;
use plan::Plan;
use std::sync::Arc;
use tokio::sync::Mutex;
use versions::Versions;

/// Holds every function in memory; a write is stored before it is seen.
///
/// It must be the only writer of its store: the one process that holds the data folder's lock.
#[derive(Debug)]
pub struct SqlRegistry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Arc<dyn FunctionStore>,
    clock: Arc<dyn Clock>,
    index: Index,
    versions: Versions,
    /// One write at a time: each is planned on what the one before left.
    writer: Mutex<()>,
}

impl SqlRegistry {
    /// Loads all functions. Their readiness is unknown until the runtimes report.
    pub async fn open(store: Arc<dyn FunctionStore>, clock: Arc<dyn Clock>) -> Result<Self> {
        let functions = store.function_list().await?.into_iter().map(function);
        let index = Index::new(functions);
        Ok(Self(Arc::new(Inner {
            store,
            clock,
            index,
            versions: Versions::default(),
            writer: Mutex::default(),
        })))
    }
}

#[async_trait]
impl FunctionRegistry for SqlRegistry {
    async fn apply(&self, apply: Apply) -> Result<Applied> {
        let inner = Arc::clone(&self.0);
        detached::to_the_end("apply a function", async move { inner.apply(apply).await }).await
    }

    fn get(&self, key: &FunctionKey) -> Option<Arc<Function>> {
        self.0.index.get(key)
    }

    fn get_by_uid(&self, uid: FunctionUid) -> Option<Arc<Function>> {
        self.0.index.get_by_uid(uid)
    }

    fn list(&self, namespace: Option<&Namespace>) -> Vec<Arc<Function>> {
        self.0.index.list(namespace)
    }

    async fn delete(&self, key: &FunctionKey, etag: Option<&str>) -> Result<Arc<Function>> {
        let (inner, key, etag) = (Arc::clone(&self.0), key.clone(), etag.map(str::to_owned));
        let delete = async move { inner.delete(&key, etag.as_deref()).await };
        detached::to_the_end("delete a function", delete).await
    }

    async fn set_paused(&self, key: &FunctionKey, paused: bool) -> Result<Arc<Function>> {
        let (inner, key) = (Arc::clone(&self.0), key.clone());
        let pause = async move { inner.set_paused(&key, paused).await };
        detached::to_the_end("pause a function", pause).await
    }

    async fn version(&self, uid: FunctionUid, number: VersionNumber) -> Result<Arc<FunctionVersion>> {
        if let Some(version) = self.0.versions.get(uid, number) {
            return Ok(version);
        }
        let found = self.0.store.version_get(uid, number).await?;
        let version = Arc::new(found.ok_or_else(|| version_not_found(uid, number))?);
        self.0.versions.insert(Arc::clone(&version));
        Ok(version)
    }

    async fn versions(&self, uid: FunctionUid) -> Result<Vec<Arc<FunctionVersion>>> {
        Ok(self.0.store.version_list(uid).await?.into_iter().map(Arc::new).collect())
    }

    async fn report(&self, uid: FunctionUid, version: VersionNumber, readiness: Readiness) -> Result<()> {
        let now = self.0.clock.now();
        self.0.index.update(uid, |function| {
            if function.version != version {
                return None;
            }
            let merged = merge::readiness(&function.readiness, readiness, function.generation, now);
            (merged != function.readiness).then(|| Function { readiness: merged, ..function.clone() })
        });
        Ok(())
    }

    fn watch(&self) -> BoxStream<'static, RegistryEvent> {
        self.0.index.watch()
    }
}

impl Inner {
    async fn apply(&self, apply: Apply) -> Result<Applied> {
        let _turn = self.writer.lock().await;
        let current = self.index.get(&apply.key);
        let last = match &current {
            Some(current) => current.version,
            None => self.store.function_last_version(&apply.key).await?,
        };
        let created = current.is_none();
        let (function, version) = match plan::apply(&apply, current, last, self.clock.now())? {
            Plan::Unchanged(function) => return Ok(Applied { function, created: false, changed: false }),
            Plan::Write { function, version } => (function, version),
        };
        if apply.dry_run {
            return Ok(Applied { function: Arc::from(function), created, changed: true });
        }
        self.store.function_put(row(&function), version.clone(), function.generation - 1).await?;
        if let Some(version) = version {
            self.versions.insert(Arc::new(version));
        }
        Ok(Applied { function: self.index.put(*function), created, changed: true })
    }

    async fn delete(&self, key: &FunctionKey, etag: Option<&str>) -> Result<Arc<Function>> {
        let _turn = self.writer.lock().await;
        let current = self.index.get(key).ok_or_else(|| Error::function_not_found(&key.name))?;
        if let Some(etag) = etag {
            plan::expect_etag(&current, etag)?;
        }
        self.store.function_remove(key, current.uid).await?;
        // With the readiness it had at the end.
        Ok(self.index.remove(key).unwrap_or(current))
    }

    async fn set_paused(&self, key: &FunctionKey, paused: bool) -> Result<Arc<Function>> {
        let _turn = self.writer.lock().await;
        let current = self.index.get(key).ok_or_else(|| Error::function_not_found(&key.name))?;
        if current.paused == paused {
            return Ok(current);
        }
        plan::expect_alive(&current)?;
        let function = Function {
            paused,
            generation: current.generation + 1,
            updated_at: self.clock.now(),
            ..Function::clone(&current)
        };
        self.store.function_put(row(&function), None, current.generation).await?;
        Ok(self.index.put(function))
    }
}

fn version_not_found(uid: FunctionUid, number: VersionNumber) -> Error {
    Error::new(ErrorKind::NotFound, "VersionNotFound", format!("version {number} does not exist"))
        .with_metadata("uid", uid)
        .with_metadata("version", number)
}

fn row(function: &Function) -> FunctionRow {
    FunctionRow {
        key: function.key.clone(),
        uid: function.uid,
        generation: function.generation,
        version: function.version,
        spec: Arc::clone(&function.spec),
        paused: function.paused,
        deleting: function.deleting,
        created_at: function.created_at,
        updated_at: function.updated_at,
    }
}

fn function(row: FunctionRow) -> Function {
    Function {
        key: row.key,
        uid: row.uid,
        generation: row.generation,
        version: row.version,
        spec: row.spec,
        paused: row.paused,
        deleting: row.deleting,
        readiness: Readiness::default(),
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}
