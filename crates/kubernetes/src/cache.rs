//! Objects of one kind in memory, followed by one watch per namespace.

use crate::namespaces::{Namespaces, config};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt as _, watcher as watch_objects};
use kube::{Api, Client, Resource, ResourceExt as _};
use parking_lot::{Mutex, RwLock};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;
use tokio_stream::StreamMap;

/// Changes that a listener may lag behind before it is told to look at everything.
const BACKLOG: usize = 4096;

/// Which objects of a namespace.
#[derive(Debug, Clone, Copy, Default)]
pub struct Selector {
    /// A label selector; empty = all.
    pub labels: &'static str,
}

/// What happened to an object.
#[derive(Debug)]
pub enum Change<K> {
    /// It is there, new or changed.
    Applied(Arc<K>),
    /// It is gone; as it was last seen.
    Deleted(Arc<K>),
    /// Some changes were missed: look at everything.
    Resync,
}

impl<K> Clone for Change<K> {
    fn clone(&self) -> Self {
        match self {
            Self::Applied(object) => Self::Applied(Arc::clone(object)),
            Self::Deleted(object) => Self::Deleted(Arc::clone(object)),
            Self::Resync => Self::Resync,
        }
    }
}

type Objects<K> = HashMap<String, BTreeMap<String, Arc<K>>>;

#[derive(Debug)]
struct Inner<K> {
    objects: RwLock<Objects<K>>,
    /// Sent to while `objects` is locked, so that changes are in their order.
    changes: broadcast::Sender<Change<K>>,
    /// Namespaces whose first list is there.
    listed: watch::Sender<BTreeSet<String>>,
    /// Since when each watch gives nothing but errors.
    failing: Mutex<HashMap<String, Instant>>,
}

/// Objects of one kind in the chosen namespaces.
#[derive(Debug)]
pub struct Cache<K>(Arc<Inner<K>>);

impl<K> Clone for Cache<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

type Events<K> = BoxStream<'static, watcher::Result<Event<K>>>;

impl<K> Cache<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    /// Empty before the future runs; it ends with the one of `namespaces`. `prune` takes away what nobody reads.
    pub fn follow(
        client: Client,
        namespaces: &Namespaces,
        selector: Selector,
        prune: fn(&mut K),
    ) -> (Self, impl Future<Output = ()> + Send + 'static + use<K>) {
        let inner = Arc::new(Inner {
            objects: RwLock::default(),
            changes: broadcast::channel(BACKLOG).0,
            listed: watch::Sender::default(),
            failing: Mutex::default(),
        });
        let following = follow(Arc::clone(&inner), client, namespaces.anew(), selector, prune);
        (Self(inner), following)
    }

    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.0.objects.read().get(namespace)?.get(name).cloned()
    }

    /// Those that `wanted` holds for, by namespace and name.
    pub fn list(&self, wanted: impl Fn(&K) -> bool) -> Vec<Arc<K>> {
        let objects = self.0.objects.read();
        objects.values().flat_map(BTreeMap::values).filter(|object| wanted(object)).cloned().collect()
    }

    /// Those of one namespace that `wanted` holds for, by name.
    pub fn list_in(&self, namespace: &str, wanted: impl Fn(&K) -> bool) -> Vec<Arc<K>> {
        let objects = self.0.objects.read();
        let of = objects.get(namespace).into_iter().flat_map(BTreeMap::values);
        of.filter(|object| wanted(object)).cloned().collect()
    }

    /// Changes from now on.
    pub fn changes(&self) -> BoxStream<'static, Change<K>> {
        tokio_stream::wrappers::BroadcastStream::new(self.0.changes.subscribe())
            .map(|change| change.unwrap_or(Change::Resync))
            .boxed()
    }

    /// Whether the objects of a namespace were listed once.
    pub fn knows(&self, namespace: &str) -> bool {
        self.0.listed.borrow().contains(namespace)
    }

    /// Waits until every chosen namespace was listed once.
    pub async fn listed(&self, namespaces: &Namespaces) {
        let mut chosen = namespaces.anew();
        let Some(all) = chosen.next().await else { return };
        let mut listed = self.0.listed.subscribe();
        // The sender lives as long as this cache.
        let _ = listed.wait_for(|listed| all.is_subset(listed)).await;
    }

    /// For how long the worst of the watches has given nothing but errors.
    pub fn failing_for(&self) -> Duration {
        let failing = self.0.failing.lock();
        failing.values().map(Instant::elapsed).max().unwrap_or_default()
    }
}

async fn follow<K>(
    inner: Arc<Inner<K>>,
    client: Client,
    mut namespaces: Namespaces,
    selector: Selector,
    prune: fn(&mut K),
) where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    let mut watches: StreamMap<String, Events<K>> = StreamMap::new();
    let mut listing: HashMap<String, BTreeMap<String, Arc<K>>> = HashMap::new();
    loop {
        tokio::select! {
            chosen = namespaces.next() => {
                let Some(chosen) = chosen else { return };
                let gone: Vec<String> = watches.keys().filter(|name| !chosen.contains(*name)).cloned().collect();
                for name in gone {
                    watches.remove(&name);
                    listing.remove(&name);
                    inner.forget(&name);
                }
                for name in chosen.iter() {
                    if !watches.contains_key(name) {
                        let api = Api::<K>::namespaced(client.clone(), name);
                        let events = watch_objects(api, config().labels(selector.labels)).default_backoff();
                        watches.insert(name.clone(), events.boxed());
                    }
                }
            }
            Some((namespace, event)) = watches.next() => {
                let event = event.map(|event| event.modify(prune));
                inner.take(&namespace, event, listing.entry(namespace.clone()).or_default());
            }
        }
    }
}

impl<K: Resource<DynamicType = ()> + Send + Sync> Inner<K> {
    fn take(
        &self,
        namespace: &str,
        event: watcher::Result<Event<K>>,
        listing: &mut BTreeMap<String, Arc<K>>,
    ) {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                self.failing.lock().entry(namespace.to_owned()).or_insert_with(Instant::now);
                tracing::warn!(namespace, kind = %K::kind(&()), %error, "a watch failed, trying again");
                return;
            }
        };
        if !matches!(event, Event::Init) {
            self.failing.lock().remove(namespace);
        }
        match event {
            Event::Init => listing.clear(),
            Event::InitApply(object) => drop(listing.insert(object.name_any(), Arc::new(object))),
            Event::InitDone => self.replace(namespace, std::mem::take(listing)),
            Event::Apply(object) => {
                let object = Arc::new(object);
                let mut objects = self.objects.write();
                objects
                    .entry(namespace.to_owned())
                    .or_default()
                    .insert(object.name_any(), Arc::clone(&object));
                self.tell(Change::Applied(object));
            }
            Event::Delete(object) => {
                let mut objects = self.objects.write();
                if let Some(names) = objects.get_mut(namespace) {
                    names.remove(&object.name_any());
                }
                self.tell(Change::Deleted(Arc::new(object)));
            }
        }
    }

    /// What the list does not have is gone; what is as it was is no change.
    fn replace(&self, namespace: &str, now: BTreeMap<String, Arc<K>>) {
        let mut objects = self.objects.write();
        let before = objects.insert(namespace.to_owned(), now.clone()).unwrap_or_default();
        for (name, object) in &before {
            let uid = object.meta().uid.as_ref();
            if now.get(name).is_none_or(|now| now.meta().uid.as_ref() != uid) {
                self.tell(Change::Deleted(Arc::clone(object)));
            }
        }
        for (name, object) in now {
            let version = object.meta().resource_version.as_ref();
            if before.get(&name).is_none_or(|before| before.meta().resource_version.as_ref() != version) {
                self.tell(Change::Applied(object));
            }
        }
        drop(objects);
        self.listed.send_if_modified(|listed| listed.insert(namespace.to_owned()));
    }

    /// A namespace that is not chosen any more.
    fn forget(&self, namespace: &str) {
        let mut objects = self.objects.write();
        for (_, object) in objects.remove(namespace).unwrap_or_default() {
            self.tell(Change::Deleted(object));
        }
        drop(objects);
        self.failing.lock().remove(namespace);
        self.listed.send_if_modified(|listed| listed.remove(namespace));
    }

    /// Nobody listening is fine.
    fn tell(&self, change: Change<K>) {
        let _ = self.changes.send(change);
    }
}
