//! The watches: the opted-in namespaces, and in each of them Functions and what is made for them.
//!
//! Each watch has a backoff of its own and is begun anew when nothing has arrived on it for a while: one that is stuck
//! keeps no other from recovering.

mod jobs;
mod one;

use crate::Metrics;
use crate::events::Events;
use crate::index::{Declared, Index, Kind};
use crate::lease::Leadership;
use crate::progress::Progress;
use crate::queue::Queue;
use eventflow_crd::{Function, names};
use eventflow_domain::ports::Clock;
use eventflow_domain::spec::PodSecurity;
use eventflow_lifecycle::CancellationToken;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Namespace, Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::core::DeserializeGuard;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Everything that watches need.
pub(crate) struct Watches {
    pub(crate) client: Client,
    /// Selects the namespaces that are opted in.
    pub(crate) namespaces: String,
    pub(crate) index: Arc<Index>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) progress: Progress,
    pub(crate) metrics: Metrics,
    pub(crate) events: Events,
    pub(crate) leadership: Arc<Leadership>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Told once the list of namespaces is whole.
    pub(crate) listed: tokio::sync::watch::Sender<bool>,
}

/// The namespaces that are watched, with what ends their watches.
#[derive(Default)]
struct Open {
    rooms: HashMap<String, CancellationToken>,
    tasks: JoinSet<()>,
    /// What a list has named so far.
    fresh: Option<Vec<Namespace>>,
}

/// Until told to stop. A watch that panics ends this, and with it the process.
pub(crate) async fn run(watches: Arc<Watches>, stop: CancellationToken) {
    let (told, mut news) = tokio::sync::mpsc::channel(64);
    let mut open = Open::default();
    let api: Api<Namespace> = Api::all(watches.client.clone());
    let config = watcher::Config::default().labels(&watches.namespaces);
    let namespaces = one::watch::<Namespace>(&watches, api, config, |event| async {
        drop(told.send(event).await);
    });
    tokio::pin!(namespaces);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = &mut namespaces => break,
            Some(event) = news.recv() => open.take(&watches, event, &stop),
            Some(ended) = open.tasks.join_next(), if !open.tasks.is_empty() => {
                if let Err(error) = ended && error.is_panic() {
                    std::panic::resume_unwind(error.into_panic());
                }
            }
        }
    }
    open.tasks.shutdown().await;
}

impl Open {
    fn take(&mut self, watches: &Arc<Watches>, event: Event<Namespace>, stop: &CancellationToken) {
        match event {
            Event::Init => self.fresh = Some(Vec::new()),
            Event::InitApply(namespace) => self.fresh.get_or_insert_default().push(namespace),
            Event::InitDone => {
                let fresh = self.fresh.take().unwrap_or_default();
                let named: Vec<_> = fresh.iter().map(kube::ResourceExt::name_any).collect();
                let gone: Vec<_> = self.rooms.keys().filter(|name| !named.contains(name)).cloned().collect();
                for name in gone {
                    self.leave(watches, &name);
                }
                for namespace in fresh {
                    self.enter(watches, &namespace, stop);
                }
                watches.listed.send_replace(true);
            }
            Event::Apply(namespace) => self.enter(watches, &namespace, stop),
            // Its label was taken away, or it is gone itself.
            Event::Delete(namespace) => self.leave(watches, &namespace.name_any()),
        }
    }

    fn enter(&mut self, watches: &Arc<Watches>, namespace: &Namespace, stop: &CancellationToken) {
        let name = namespace.name_any();
        if watches.index.open(&name, ceiling(namespace)) {
            let of = watches.index.keys().into_iter().filter(|key| *key.namespace == *name);
            of.for_each(|key| watches.queue.add(&key));
        }
        if self.rooms.contains_key(&name) {
            return;
        }
        tracing::info!(namespace = %name, "watches a namespace");
        let token = stop.child_token();
        let (of_room, room) = (Arc::clone(watches), name.clone());
        let ended = token.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = ended.cancelled() => {}
                () = of_room.room(&room) => {}
            }
        });
        self.rooms.insert(name, token);
    }

    fn leave(&mut self, watches: &Watches, name: &str) {
        if let Some(token) = self.rooms.remove(name) {
            tracing::info!(namespace = %name, "watches a namespace no longer");
            token.cancel();
            watches.index.close(name);
        }
    }
}

/// What the namespace's Pod Security label enforces.
fn ceiling(namespace: &Namespace) -> Option<PodSecurity> {
    match namespace.labels().get("pod-security.kubernetes.io/enforce").map(String::as_str) {
        Some("restricted") => Some(PodSecurity::Restricted),
        Some("baseline") => Some(PodSecurity::Baseline),
        _ => None,
    }
}

impl Watches {
    /// All watches of one namespace.
    async fn room(&self, namespace: &str) {
        let ours = watcher::Config::default().labels(&format!("{}={}", names::MANAGED_BY, names::MANAGER));
        let warm = watcher::Config::default().labels(&format!("{}={}", names::ROLE, names::WARM));
        tokio::join!(
            self.kind::<DeserializeGuard<Function>, Declared>(namespace, watcher::Config::default()),
            self.kind::<ControllerRevision, ControllerRevision>(namespace, ours.clone()),
            self.kind::<Deployment, Deployment>(namespace, ours.clone()),
            self.kind::<Service, Service>(namespace, ours.clone()),
            self.kind::<HorizontalPodAutoscaler, HorizontalPodAutoscaler>(namespace, ours.clone()),
            self.kind::<NetworkPolicy, NetworkPolicy>(namespace, ours),
            self.kind::<Pod, Pod>(namespace, warm),
            jobs::watch(self, namespace),
        );
    }

    async fn kind<K, T>(&self, namespace: &str, config: watcher::Config)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + DeserializeOwned
            + Clone
            + Debug
            + Send
            + 'static,
        T: Kind + From<K>,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        one::watch(self, api, config, |event: Event<K>| {
            let event = match event {
                Event::Apply(object) => Event::Apply(T::from(object)),
                Event::Delete(object) => Event::Delete(T::from(object)),
                Event::InitApply(object) => Event::InitApply(T::from(object)),
                Event::Init => Event::Init,
                Event::InitDone => Event::InitDone,
            };
            let generation = match &event {
                Event::Apply(object) => object.declared(),
                _ => None,
            };
            for key in self.index.tell(namespace, event) {
                match generation {
                    Some(generation) => self.queue.declared(&key, generation),
                    None => self.queue.add(&key),
                }
            }
            self.metrics.set_functions(self.index.functions());
            std::future::ready(())
        })
        .await;
    }
}
