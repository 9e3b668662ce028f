//! Waiting until what was written is seen here, so that whoever wrote reads it.

use super::Inner;
use eventflow_domain::{Error, Function, FunctionKey, FunctionUid, Result};
use eventflow_kubernetes::to_domain;
use futures::StreamExt as _;
use kube::Api;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// For the watch to bring what was written.
const SEEN: Duration = Duration::from_secs(5);
/// For the operator to number a change of code, after that.
const NUMBERED: Duration = Duration::from_secs(10);
/// For one answer of the API server.
pub(super) const ASK: Duration = Duration::from_secs(10);

impl Inner {
    pub(super) fn api(&self, key: &FunctionKey) -> Api<eventflow_crd::Function> {
        Api::namespaced(self.client.clone(), key.namespace.as_str())
    }

    /// One request, within its time.
    pub(super) async fn ask<T>(
        &self,
        doing: &str,
        request: impl Future<Output = std::result::Result<T, kube::Error>>,
    ) -> Result<T> {
        match timeout(ASK, request).await {
            Ok(answer) => answer.map_err(|error| to_domain(doing, error)),
            Err(_) => {
                Err(Error::unavailable(format!("failed to {doing}: the API server does not answer in time")))
            }
        }
    }

    /// Waits until the function holds `there`; as it is shown then. `None` = not within the time.
    pub(super) async fn until(
        &self,
        key: &FunctionKey,
        patience: Duration,
        there: impl Fn(Option<&Function>) -> bool,
    ) -> Option<Option<Arc<Function>>> {
        let end = Instant::now() + patience;
        let mut events = self.index.watch();
        loop {
            let shown = self.index.get(key);
            if there(shown.as_deref()) {
                return Some(shown);
            }
            // Every event is a reason to look again.
            timeout_at(end, events.next()).await.ok()??;
        }
    }

    /// Waits until a declaration of this generation is shown, with its number. The function as it is shown, or
    /// `None` where the operator has not numbered it in time.
    pub(super) async fn shown(
        &self,
        key: &FunctionKey,
        uid: FunctionUid,
        generation: i64,
    ) -> Option<Arc<Function>> {
        let of = |function: Option<&Function>| {
            function.is_some_and(|function| function.uid == uid && function.generation >= generation)
        };
        self.until(key, SEEN, of).await?;
        let numbered = |function: Option<&Function>| of(function) && !self.pending.lock().contains_key(&uid);
        self.until(key, NUMBERED, numbered).await?
    }

    /// Waits until no function of this uid is shown.
    pub(super) async fn gone(&self, key: &FunctionKey, uid: FunctionUid) {
        let gone = |function: Option<&Function>| {
            function.is_none_or(|function| function.uid != uid || function.deleting)
        };
        self.until(key, SEEN, gone).await;
    }

    pub(super) async fn refresh(&self, key: &FunctionKey) -> Result<Option<Arc<Function>>> {
        if let Some(function) = self.index.get(key) {
            return Ok(Some(function));
        }
        if !self.namespaces.has(key.namespace.as_str())
            || self.unknown.is_absent(key, self.clock.monotonic())?
        {
            return Ok(None);
        }
        let _place = self.unknown.place().await?;
        let found = self.ask("read the function", self.api(key).get_opt(key.name.as_str())).await;
        self.unknown.read(key, &found, self.clock.monotonic());
        let Some(object) = found? else { return Ok(None) };
        let Some(uid) = eventflow_crd::uid(&object.metadata) else { return Ok(None) };
        // The watch brings it in a moment.
        let there = |function: Option<&Function>| function.is_some_and(|function| function.uid == uid);
        Ok(self.until(key, SEEN, there).await.flatten())
    }
}
