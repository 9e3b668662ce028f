//! What the watches have shown, by namespace: no client, no clock. A view never goes back: an older object, told by a
//! server that lags behind, changes nothing.

mod kept;
mod kinds;

pub use kept::Kept;
pub(crate) use kinds::managers_of_replicas;
pub use kinds::{Declared, Kind};

use eventflow_domain::spec::PodSecurity;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::runtime::watcher::Event;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Namespace and name of a Function, as they stand there: they need not be valid.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub namespace: Arc<str>,
    pub name: Arc<str>,
}

impl Key {
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What one namespace holds.
#[derive(Debug, Default)]
pub struct Room {
    pub(crate) functions: Kept<Declared>,
    pub(crate) revisions: Kept<ControllerRevision>,
    pub(crate) deployments: Kept<Deployment>,
    pub(crate) services: Kept<Service>,
    pub(crate) autoscalers: Kept<HorizontalPodAutoscaler>,
    pub(crate) policies: Kept<NetworkPolicy>,
    pub(crate) pods: Kept<Pod>,
    ceiling: Option<PodSecurity>,
}

impl Room {
    fn is_synced(&self) -> bool {
        self.functions.is_synced()
            && self.revisions.is_synced()
            && self.deployments.is_synced()
            && self.services.is_synced()
            && self.autoscalers.is_synced()
            && self.policies.is_synced()
            && self.pods.is_synced()
    }
}

/// All that is known of one function.
#[derive(Debug, Clone)]
pub struct View {
    pub declared: Arc<Declared>,
    /// Of this name; also of an earlier function.
    pub revisions: Vec<Arc<ControllerRevision>>,
    pub deployment: Option<Arc<Deployment>>,
    pub service: Option<Arc<Service>>,
    pub autoscaler: Option<Arc<HorizontalPodAutoscaler>>,
    pub policies: Vec<Arc<NetworkPolicy>>,
    pub pods: Vec<Arc<Pod>>,
    /// What the namespace's Pod Security label enforces.
    pub ceiling: Option<PodSecurity>,
}

/// The view of all opted-in namespaces.
#[derive(Debug, Default)]
pub struct Index(RwLock<HashMap<Arc<str>, Room>>);

impl Index {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// A namespace is opted in, or its label changed; whether that changes what is allowed in it.
    pub fn open(&self, namespace: &str, ceiling: Option<PodSecurity>) -> bool {
        let mut rooms = self.0.write();
        let room = rooms.entry(namespace.into()).or_default();
        std::mem::replace(&mut room.ceiling, ceiling) != ceiling
    }

    /// A namespace is no longer opted in.
    pub fn close(&self, namespace: &str) {
        self.0.write().remove(namespace);
    }

    /// Takes what a watch tells. The functions that it concerns; all of the namespace where its view is whole now.
    pub fn tell<T: Kind>(&self, namespace: &str, event: Event<T>) -> Vec<Key> {
        let mut rooms = self.0.write();
        let Some(room) = rooms.get_mut(namespace) else { return Vec::new() };
        let was_synced = room.is_synced();
        let kept = T::kept(room);
        let touched = match event {
            Event::Init => {
                kept.begin();
                Vec::new()
            }
            Event::InitApply(object) => {
                kept.add(object);
                Vec::new()
            }
            Event::InitDone => kept.finish(),
            Event::Apply(object) => kept.apply(object).into_iter().collect(),
            Event::Delete(object) => kept.delete(&object).into_iter().collect(),
        };
        if !room.is_synced() {
            return Vec::new();
        }
        if !was_synced {
            return room.functions.iter().map(|(name, _)| Key::new(namespace, name)).collect();
        }
        let mut names: Vec<_> = touched.iter().filter_map(|object| object.function()).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(|name| Key::new(namespace, &name)).collect()
    }

    /// Whether a namespace is opted in.
    pub fn is_open(&self, namespace: &str) -> bool {
        self.0.read().contains_key(namespace)
    }

    /// What was just written: the watch's echo of it will be no news.
    pub fn wrote<T: Kind>(&self, namespace: &str, object: T) {
        if let Some(room) = self.0.write().get_mut(namespace) {
            T::kept(room).apply(object);
        }
    }

    /// `None` where the namespace's view is not whole yet, or there is no such function.
    pub fn view(&self, key: &Key) -> Option<View> {
        let rooms = self.0.read();
        let room = rooms.get(&key.namespace).filter(|room| room.is_synced())?;
        let declared = room.functions.get(&key.name)?;
        let child = format!("fn-{}", key.name);
        let of = &*key.name;
        let job = format!("{child}.job");
        Some(View {
            declared,
            revisions: room.revisions.of(of),
            deployment: room.deployments.get(&child),
            service: room.services.get(&child),
            autoscaler: room.autoscalers.get(&child),
            policies: [child, job].iter().filter_map(|name| room.policies.get(name)).collect(),
            pods: room.pods.of(of),
            ceiling: room.ceiling,
        })
    }

    /// All functions whose namespaces' views are whole.
    pub fn keys(&self) -> Vec<Key> {
        let rooms = self.0.read();
        let whole = rooms.iter().filter(|(_, room)| room.is_synced());
        whole
            .flat_map(|(namespace, room)| room.functions.iter().map(|(name, _)| Key::new(namespace, name)))
            .collect()
    }

    /// Whether every namespace's view is whole.
    pub fn is_synced(&self) -> bool {
        self.0.read().values().all(Room::is_synced)
    }

    pub fn functions(&self) -> usize {
        self.0.read().values().map(|room| room.functions.len()).sum()
    }
}

#[cfg(test)]
mod tests;
