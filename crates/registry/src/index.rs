//! What is declared now, in memory, and who watches it.

use eventflow_domain::ports::RegistryEvent;
use eventflow_domain::{Function, FunctionKey, FunctionName, FunctionUid, Namespace, Readiness};
use futures::stream::{BoxStream, StreamExt};
use parking_lot::RwLock;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;

/// Changes that a watcher may lag behind before it must list again.
const BACKLOG: usize = 1024;

#[derive(Debug)]
pub(crate) struct Index {
    functions: RwLock<Functions>,
    /// Sent to while `functions` is locked, so that events are in the order of the changes.
    events: broadcast::Sender<RegistryEvent>,
}

#[derive(Debug, Default)]
struct Functions {
    by_name: BTreeMap<Namespace, BTreeMap<FunctionName, Arc<Function>>>,
    by_uid: HashMap<FunctionUid, Arc<Function>>,
}

impl Functions {
    fn get(&self, key: &FunctionKey) -> Option<&Arc<Function>> {
        self.by_name.get(&key.namespace)?.get(&key.name)
    }

    fn put(&mut self, function: &Arc<Function>) {
        let FunctionKey { namespace, name } = function.key.clone();
        self.by_name.entry(namespace).or_default().insert(name, Arc::clone(function));
        self.by_uid.insert(function.uid, Arc::clone(function));
    }

    fn remove(&mut self, key: &FunctionKey) -> Option<Arc<Function>> {
        let names = self.by_name.get_mut(&key.namespace)?;
        let removed = names.remove(&key.name)?;
        if names.is_empty() {
            self.by_name.remove(&key.namespace);
        }
        self.by_uid.remove(&removed.uid);
        Some(removed)
    }
}

impl Default for Index {
    fn default() -> Self {
        Self { functions: RwLock::default(), events: broadcast::channel(BACKLOG).0 }
    }
}

impl Index {
    pub(crate) fn new(functions: impl Iterator<Item = Function>) -> Self {
        let index = Self::default();
        functions.for_each(|function| index.functions.write().put(&Arc::new(function)));
        index
    }

    pub(crate) fn get(&self, key: &FunctionKey) -> Option<Arc<Function>> {
        self.functions.read().get(key).cloned()
    }

    pub(crate) fn get_by_uid(&self, uid: FunctionUid) -> Option<Arc<Function>> {
        self.functions.read().by_uid.get(&uid).cloned()
    }

    pub(crate) fn list(&self, namespace: Option<&Namespace>) -> Vec<Arc<Function>> {
        let functions = self.functions.read();
        match namespace {
            Some(namespace) => {
                functions.by_name.get(namespace).into_iter().flat_map(BTreeMap::values).cloned().collect()
            }
            None => functions.by_name.values().flat_map(BTreeMap::values).cloned().collect(),
        }
    }

    /// Shows a function as it is stored, with the readiness that `readiness` makes of it and of what was shown before
    /// under its uid. Where nothing differs nobody is told.
    pub(crate) fn put(
        &self,
        mut function: Function,
        readiness: impl FnOnce(&Function, Option<&Function>) -> Readiness,
    ) -> Arc<Function> {
        let mut functions = self.functions.write();
        let before = functions.get(&function.key).cloned();
        let same = before.as_ref().filter(|before| before.uid == function.uid);
        function.readiness = readiness(&function, same.map(Arc::as_ref));
        if let Some(same) = same.filter(|same| ***same == function) {
            return Arc::clone(same);
        }
        if let Some(other) = before.filter(|before| before.uid != function.uid) {
            functions.remove(&other.key);
            self.tell(RegistryEvent::Deleted(other));
        }
        let function = Arc::new(function);
        functions.put(&function);
        self.tell(RegistryEvent::Changed(Arc::clone(&function)));
        function
    }

    pub(crate) fn remove(&self, key: &FunctionKey) -> Option<Arc<Function>> {
        let mut functions = self.functions.write();
        let removed = functions.remove(key)?;
        self.tell(RegistryEvent::Deleted(Arc::clone(&removed)));
        Some(removed)
    }

    /// Puts in the readiness that `reported` makes of the function, if it is still there and `reported` says any.
    pub(crate) fn update(&self, uid: FunctionUid, reported: impl FnOnce(&Function) -> Option<Readiness>) {
        let mut functions = self.functions.write();
        let Some(function) = functions.by_uid.get(&uid) else { return };
        let Some(readiness) = reported(function).filter(|readiness| *readiness != function.readiness) else {
            return;
        };
        let changed = Arc::new(Function { readiness, ..Function::clone(function) });
        functions.put(&changed);
        self.tell(RegistryEvent::Changed(changed));
    }

    /// Changes from now on; a watcher that lags too far is told so and goes on with what is left.
    pub(crate) fn watch(&self) -> BoxStream<'static, RegistryEvent> {
        BroadcastStream::new(self.events.subscribe())
            .map(|event| event.unwrap_or(RegistryEvent::Resync))
            .boxed()
    }

    /// Nobody watching is fine.
    fn tell(&self, event: RegistryEvent) {
        let _unwatched = self.events.send(event);
    }
}
