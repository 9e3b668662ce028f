//! The registry of the local shape: rows in the SQL store, an index of all of them in memory.

use crate::declared::Declared;
use crate::index::Index;
use crate::{detached, merge, plan, rows};
use async_trait::async_trait;
use eventflow_domain::ports::{Applied, Apply, Clock, FunctionRegistry, FunctionStore, RegistryEvent};
use eventflow_domain::{
    Error, Function, FunctionKey, FunctionUid, FunctionVersion, Namespace, Readiness, Result, VersionNumber,
};
use futures::stream::BoxStream;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Holds every function in memory; a write is stored before it is seen.
///
/// It must be the only writer of its store: the one process that holds the data folder's lock.
#[derive(Debug)]
pub struct SqlRegistry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    declared: Declared<dyn FunctionStore>,
    /// One write at a time: each is planned on what the one before left.
    writer: Mutex<()>,
}

impl SqlRegistry {
    /// Loads all functions. Their readiness is unknown until the runtimes report.
    pub async fn open(store: Arc<dyn FunctionStore>, clock: Arc<dyn Clock>) -> Result<Self> {
        let index = Index::new(store.function_list().await?.into_iter().map(rows::function));
        Ok(Self(Arc::new(Inner { declared: Declared::new(store, clock, index), writer: Mutex::default() })))
    }
}

#[async_trait]
impl FunctionRegistry for SqlRegistry {
    async fn apply(&self, apply: Apply) -> Result<Applied> {
        let inner = Arc::clone(&self.0);
        detached::to_the_end("apply a function", async move { inner.apply(&apply).await }).await
    }

    fn get(&self, key: &FunctionKey) -> Option<Arc<Function>> {
        self.0.declared.index.get(key)
    }

    fn get_by_uid(&self, uid: FunctionUid) -> Option<Arc<Function>> {
        self.0.declared.index.get_by_uid(uid)
    }

    fn list(&self, namespace: Option<&Namespace>) -> Vec<Arc<Function>> {
        self.0.declared.index.list(namespace)
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
        self.0.declared.version(uid, number).await
    }

    async fn versions(&self, uid: FunctionUid) -> Result<Vec<Arc<FunctionVersion>>> {
        self.0.declared.versions(uid).await
    }

    async fn report(&self, uid: FunctionUid, version: VersionNumber, readiness: Readiness) -> Result<()> {
        let now = self.0.declared.clock.now();
        self.0.declared.index.update(uid, |function| {
            let reported = || merge::readiness(&function.readiness, readiness, function.generation, now);
            (function.version == version).then(reported)
        });
        Ok(())
    }

    fn watch(&self) -> BoxStream<'static, RegistryEvent> {
        self.0.declared.index.watch()
    }
}

impl Inner {
    async fn apply(&self, apply: &Apply) -> Result<Applied> {
        let _turn = self.writer.lock().await;
        let current = self.declared.index.get(&apply.key);
        Ok(self.declared.apply(apply, current).await?.applied(|function| self.show(function)))
    }

    async fn delete(&self, key: &FunctionKey, etag: Option<&str>) -> Result<Arc<Function>> {
        let _turn = self.writer.lock().await;
        let current = self.current(key)?;
        if let Some(etag) = etag {
            plan::expect_etag(&current, etag)?;
        }
        self.declared.store.function_remove(key, current.uid).await?;
        // With the readiness it had at the end.
        Ok(self.declared.index.remove(key).unwrap_or(current))
    }

    async fn set_paused(&self, key: &FunctionKey, paused: bool) -> Result<Arc<Function>> {
        let _turn = self.writer.lock().await;
        let written = self.declared.set_paused(self.current(key)?, paused).await?;
        Ok(written.shown(|function| self.show(function)))
    }

    fn current(&self, key: &FunctionKey) -> Result<Arc<Function>> {
        self.declared.index.get(key).ok_or_else(|| Error::function_not_found(&key.name))
    }

    /// What was reported of the version stays; of a new one nothing is known.
    fn show(&self, function: Function) -> Arc<Function> {
        self.declared.index.put(function, |function, before| match before {
            Some(before) if before.version == function.version => before.readiness.clone(),
            _ => Readiness::default(),
        })
    }
}
