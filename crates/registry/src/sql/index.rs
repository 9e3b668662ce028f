//! What is declared now, in memory, and who watches it.

use eventflow_domain::ports::RegistryEvent;
use eventflow_domain::{Function, FunctionKey, FunctionName, FunctionUid, Namespace};
use futures::stream::{BoxStream, StreamExt};
use parking_lot::RwLock;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;

/// Changes that a watcher may lag behind before it must list again.
const BACKLOG: usize = 1024;

#[derive(Debug)]
pub(super) struct Index {
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
        let before = self.by_name.entry(namespace).or_default().insert(name, Arc::clone(function));
        if let Some(before) = before.filter(|before| before.uid != function.uid) {
            self.by_uid.remove(&before.uid);
        }
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

impl Index {
    pub(super) fn new(functions: impl Iterator<Item = Function>) -> Self {
        let mut index = Functions::default();
        functions.for_each(|function| index.put(&Arc::new(function)));
        Self { functions: RwLock::new(index), events: broadcast::channel(BACKLOG).0 }
    }

    pub(super) fn get(&self, key: &FunctionKey) -> Option<Arc<Function>> {
        self.functions.read().get(key).cloned()
    }

    pub(super) fn get_by_uid(&self, uid: FunctionUid) -> Option<Arc<Function>> {
        self.functions.read().by_uid.get(&uid).cloned()
    }

    pub(super) fn list(&self, namespace: Option<&Namespace>) -> Vec<Arc<Function>> {
        let functions = self.functions.read();
        match namespace {
            Some(namespace) => {
                functions.by_name.get(namespace).into_iter().flat_map(BTreeMap::values).cloned().collect()
            }
            None => functions.by_name.values().flat_map(BTreeMap::values).cloned().collect(),
        }
    }

    /// Shows a function as it was just stored. What was reported while it was being stored is kept, unless its
    /// version is a new one.
    pub(super) fn put(&self, mut function: Function) -> Arc<Function> {
        let mut functions = self.functions.write();
        let before = functions.get(&function.key);
        if let Some(before) =
            before.filter(|before| before.uid == function.uid && before.version == function.version)
        {
            function.readiness = before.readiness.clone();
        }
        let function = Arc::new(function);
        functions.put(&function);
        self.tell(RegistryEvent::Changed(Arc::clone(&function)));
        function
    }

    pub(super) fn remove(&self, key: &FunctionKey) -> Option<Arc<Function>> {
        let mut functions = self.functions.write();
        let removed = functions.remove(key)?;
        self.tell(RegistryEvent::Deleted(Arc::clone(&removed)));
        Some(removed)
    }

    /// Puts in what `change` makes of the function, if it is still there and `change` makes something.
    pub(super) fn update(&self, uid: FunctionUid, change: impl FnOnce(&Function) -> Option<Function>) {
        let mut functions = self.functions.write();
        let changed = functions.by_uid.get(&uid).and_then(|function| change(function));
        if let Some(changed) = changed {
            let changed = Arc::new(changed);
            functions.put(&changed);
            self.tell(RegistryEvent::Changed(changed));
        }
    }

    /// Changes from now on; a watcher that lags too far is told so and goes on with what is left.
    pub(super) fn watch(&self) -> BoxStream<'static, RegistryEvent> {
        BroadcastStream::new(self.events.subscribe())
            .map(|event| event.unwrap_or(RegistryEvent::Resync))
            .boxed()
    }

    /// Nobody watching is fine.
    fn tell(&self, event: RegistryEvent) {
        let _unwatched = self.events.send(event);
    }
}
