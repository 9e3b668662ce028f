//! What is told of one function where somebody looks at it: its copies, as its pods are now, and what happened to its
//! objects. Nothing of it is kept for functions that nobody looks at (ADR 19).

mod copies;
mod happened;

use super::Inner;
use eventflow_domain::{Function, FunctionKey, FunctionUid, Readiness, RuntimeKind, WarmCopy};
use eventflow_kubernetes::Events;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How long an answer stands: of many who look at once, one asks.
const STANDS: Duration = Duration::from_secs(1);
/// How long nobody asks again after there was no answer.
const PAUSE: Duration = Duration::from_secs(5);
/// For an answer; without one, what was known before is shown.
const PATIENCE: Duration = Duration::from_secs(2);
/// Functions whose copies are remembered.
const MOST: usize = 1024;
/// Questions at once.
const READS: usize = 8;

/// The copies of a function as they were seen last.
#[derive(Debug, Default)]
struct Seen {
    uid: Option<FunctionUid>,
    /// By the monotonic clock.
    until: Duration,
    copies: Vec<WarmCopy>,
}

#[derive(Debug)]
pub(super) struct Details {
    events: Events,
    seen: Mutex<HashMap<FunctionKey, Arc<tokio::sync::Mutex<Seen>>>>,
    reading: Semaphore,
}

impl Details {
    pub(super) fn new(events: Events) -> Self {
        Self { events, seen: Mutex::default(), reading: Semaphore::new(READS) }
    }

    /// Where the copies of a function are remembered; who holds it asks for all others.
    fn place(&self, key: &FunctionKey) -> Arc<tokio::sync::Mutex<Seen>> {
        let mut seen = self.seen.lock();
        if let Some(place) = seen.get(key) {
            return Arc::clone(place);
        }
        if seen.len() >= MOST {
            seen.clear();
        }
        Arc::clone(seen.entry(key.clone()).or_default())
    }
}

impl Inner {
    pub(super) async fn details(&self, function: Arc<Function>) -> Arc<Function> {
        let (copies, events) = tokio::join!(self.copies(&function), self.happened(&function));
        let readiness = Readiness { copies, events, ..function.readiness.clone() };
        Arc::new(Function { readiness, ..Function::clone(&function) })
    }

    async fn copies(&self, function: &Function) -> Vec<WarmCopy> {
        if function.spec.runtime != RuntimeKind::Container {
            return Vec::new();
        }
        let place = self.details.place(&function.key);
        let mut seen = place.lock().await;
        if seen.uid != Some(function.uid) {
            *seen = Seen { uid: Some(function.uid), ..Seen::default() };
        }
        if self.clock.monotonic() >= seen.until {
            let found = timeout(PATIENCE, self.pods(&function.key)).await;
            let now = self.clock.monotonic();
            match found {
                Ok(Ok(pods)) => {
                    seen.copies = copies::of(&pods, function);
                    seen.until = now + STANDS;
                }
                Ok(Err(error)) => {
                    tracing::warn!(function = %function.key, %error, "the copies of a function cannot be seen");
                    seen.until = now + PAUSE;
                }
                Err(_) => {
                    tracing::warn!(function = %function.key, "the copies of a function cannot be seen in time");
                    seen.until = now + PAUSE;
                }
            }
        }
        seen.copies.clone()
    }

    /// From the API server's own memory: any of its replicas answers without a question to etcd.
    async fn pods(&self, key: &FunctionKey) -> Result<Vec<Pod>, kube::Error> {
        // It is closed by nobody.
        let _turn = self.details.reading.acquire().await;
        let api = Api::<Pod>::namespaced(self.client.clone(), key.namespace.as_str());
        let params = ListParams::default().labels(&copies::selector(&key.name)).match_any();
        Ok(api.list(&params).await?.items)
    }

    async fn happened(&self, function: &Function) -> Vec<eventflow_domain::function::FunctionEvent> {
        let wanted = |told: &eventflow_kubernetes::Told| happened::is_of(told, function);
        let told = self.details.events.about(function.key.namespace.as_str(), PATIENCE, wanted).await;
        happened::newest(told)
    }
}
