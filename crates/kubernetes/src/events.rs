//! Events of the namespaces that somebody looks at: one watch for each of them, from the first look until nobody has
//! looked for a while. What is kept is bounded, whatever happens in a namespace.
//!
//! ```text
//!   about(namespace) ──first look──▶ watch ──▶ Log: the newest events, without what nobody reads
//!        └─────────────── from memory ◀───────────┘      └ idle, or one namespace too many: forgotten
//! ```

mod log;

use crate::namespaces::{Namespaces, config};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use k8s_openapi::api::events::v1::Event as Object;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt as _, watcher as watch_objects};
use kube::{Api, Client};
use log::Log;
pub use log::Told;
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_stream::StreamMap;

/// Namespaces that are followed at once; for one more, the one that was looked at longest ago is forgotten.
const MOST_NAMESPACES: usize = 16;
/// A namespace that nobody has looked at for so long is forgotten.
const IDLE: Duration = Duration::from_secs(300);
const CHECK: Duration = Duration::from_secs(30);

#[derive(Debug)]
struct Followed {
    log: RwLock<Log>,
    /// Whether there was an answer: what is there was listed, or cannot be.
    answered: watch::Sender<bool>,
    looked_at: Mutex<Instant>,
}

#[derive(Debug)]
struct Inner {
    namespaces: Namespaces,
    followed: Mutex<HashMap<String, Arc<Followed>>>,
    changed: mpsc::Sender<()>,
}

/// What happened lately in the chosen namespaces, for whoever asks.
#[derive(Debug, Clone)]
pub struct Events(Arc<Inner>);

type Watches = StreamMap<String, BoxStream<'static, watcher::Result<Event<Object>>>>;

impl Events {
    /// Nothing is watched before somebody asks; nothing is known before the future runs. It does not end.
    pub fn follow(
        client: Client,
        namespaces: &Namespaces,
    ) -> (Self, impl Future<Output = ()> + Send + 'static + use<>) {
        let (changed, asked) = mpsc::channel(1);
        let followed = Mutex::default();
        let inner = Arc::new(Inner { namespaces: namespaces.clone(), followed, changed });
        (Self(Arc::clone(&inner)), follow(inner, client, asked))
    }

    /// The events of a namespace that `wanted` holds for, in no order. The first look waits for them, at most
    /// `patience`; what cannot be seen is left out.
    pub async fn about(
        &self,
        namespace: &str,
        patience: Duration,
        wanted: impl Fn(&Told) -> bool,
    ) -> Vec<Arc<Told>> {
        if !self.0.namespaces.has(namespace) {
            return Vec::new();
        }
        let followed = self.0.look(namespace);
        let mut answered = followed.answered.subscribe();
        let _ = tokio::time::timeout(patience, answered.wait_for(|answered| *answered)).await;
        followed.log.read().matching(wanted)
    }
}

impl Inner {
    fn look(&self, namespace: &str) -> Arc<Followed> {
        let mut all = self.followed.lock();
        if let Some(known) = all.get(namespace) {
            *known.looked_at.lock() = Instant::now();
            return Arc::clone(known);
        }
        if all.len() >= MOST_NAMESPACES {
            let oldest = all.iter().min_by_key(|(_, one)| *one.looked_at.lock());
            if let Some(name) = oldest.map(|(name, _)| name.clone()) {
                all.remove(&name);
            }
        }
        let followed = Arc::new(Followed {
            log: RwLock::default(),
            answered: watch::Sender::default(),
            looked_at: Mutex::new(Instant::now()),
        });
        all.insert(namespace.to_owned(), Arc::clone(&followed));
        // One word is enough for all that has changed.
        let _ = self.changed.try_send(());
        followed
    }

    /// Those that are looked at, without the others.
    fn wanted(&self) -> HashMap<String, Arc<Followed>> {
        let mut all = self.followed.lock();
        all.retain(|name, one| one.looked_at.lock().elapsed() < IDLE && self.namespaces.has(name));
        all.clone()
    }
}

async fn follow(inner: Arc<Inner>, client: Client, mut asked: mpsc::Receiver<()>) {
    let mut watches: Watches = StreamMap::new();
    let mut now: HashMap<String, Arc<Followed>> = HashMap::new();
    let mut listing: HashMap<String, Log> = HashMap::new();
    let mut check = tokio::time::interval(CHECK);
    loop {
        tokio::select! {
            Some(()) = asked.recv() => {}
            _ = check.tick() => {}
            Some((namespace, event)) = watches.next() => {
                if let Some(followed) = now.get(&namespace) {
                    followed.take(&namespace, event, listing.entry(namespace.clone()).or_default());
                }
                continue;
            }
        }
        let wanted = inner.wanted();
        // One that was forgotten and asked for again meanwhile begins anew.
        let same = |name: &str| now.get(name).zip(wanted.get(name)).is_some_and(|(a, b)| Arc::ptr_eq(a, b));
        for name in now.keys().filter(|name| !same(name)) {
            watches.remove(name);
            listing.remove(name);
        }
        for name in wanted.keys().filter(|name| !same(name)) {
            let api = Api::<Object>::namespaced(client.clone(), name);
            watches.insert(name.clone(), watch_objects(api, config()).default_backoff().boxed());
        }
        now = wanted;
    }
}

impl Followed {
    fn take(&self, namespace: &str, event: watcher::Result<Event<Object>>, listing: &mut Log) {
        let lists = matches!(event, Ok(Event::Init | Event::InitApply(_)));
        match event {
            Ok(Event::Init) => *listing = Log::default(),
            Ok(Event::InitApply(object)) => listing.put(&object),
            Ok(Event::InitDone) => *self.log.write() = std::mem::take(listing),
            Ok(Event::Apply(object)) => self.log.write().put(&object),
            Ok(Event::Delete(object)) => self.log.write().remove(&object),
            // Usual in a quiet namespace: where its watch begins is forgotten after some minutes, and it lists again.
            Err(error) => tracing::debug!(namespace, %error, "a watch of events failed, trying again"),
        }
        if !lists {
            self.answered.send_replace(true);
        }
    }
}
