//! Where EventFlow works.

use crate::ENABLED;
use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt as _, watcher as watch_objects};
use kube::{Api, Client, ResourceExt as _};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::watch;

/// Which namespaces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Chosen {
    /// Those with the label [`ENABLED`], whenever they get or lose it.
    #[default]
    Enabled,
    /// These, whatever their labels. Needs no right to see namespaces.
    Listed(BTreeSet<String>),
}

/// The namespaces chosen now.
#[derive(Debug, Clone)]
pub struct Namespaces(watch::Receiver<Option<Arc<BTreeSet<String>>>>);

impl Namespaces {
    /// Nothing is known before the future runs; it does not end.
    pub fn follow(client: Client, chosen: Chosen) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (known, heard) = watch::channel(None);
        let following = async move {
            match chosen {
                Chosen::Listed(listed) => {
                    known.send_replace(Some(Arc::new(listed)));
                    known.closed().await;
                }
                Chosen::Enabled => {
                    let config = config().labels(&format!("{ENABLED}=true"));
                    let events = watch_objects(Api::<Namespace>::all(client), config).default_backoff();
                    learn(events, &known).await;
                }
            }
        };
        (Self(heard), following)
    }

    /// Whether one is chosen, as far as is known.
    pub fn has(&self, namespace: &str) -> bool {
        self.0.borrow().as_ref().is_some_and(|chosen| chosen.contains(namespace))
    }

    /// Waits for the next set after the one seen last; `None` once nobody follows any more.
    pub(crate) async fn next(&mut self) -> Option<Arc<BTreeSet<String>>> {
        loop {
            self.0.changed().await.ok()?;
            if let Some(chosen) = self.0.borrow_and_update().clone() {
                return Some(chosen);
            }
        }
    }

    /// As new: the first [`Self::next`] gives what is chosen now.
    pub(crate) fn anew(&self) -> Self {
        let mut heard = self.0.clone();
        heard.mark_changed();
        Self(heard)
    }
}

/// How every watch is configured: opened anew after a minute, so that one that is cut off silently is noticed.
pub(crate) fn config() -> watcher::Config {
    watcher::Config::default().timeout(60)
}

async fn learn(
    events: impl Stream<Item = watcher::Result<Event<Namespace>>>,
    known: &watch::Sender<Option<Arc<BTreeSet<String>>>>,
) {
    let mut events = std::pin::pin!(events);
    let (mut now, mut listing) = (BTreeSet::new(), BTreeSet::new());
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => {
                listing.clear();
                continue;
            }
            Ok(Event::InitApply(namespace)) => {
                listing.insert(namespace.name_any());
                continue;
            }
            Ok(Event::InitDone) => now = std::mem::take(&mut listing),
            // One that is going takes no new work, but what it has is still followed.
            Ok(Event::Apply(namespace)) => drop(now.insert(namespace.name_any())),
            Ok(Event::Delete(namespace)) => drop(now.remove(&namespace.name_any())),
            Err(error) => {
                tracing::warn!(%error, "cannot watch the namespaces, trying again");
                continue;
            }
        }
        let same = |before: &Option<Arc<BTreeSet<String>>>| before.as_deref() == Some(&now);
        known.send_if_modified(|before| {
            let changed = !same(before);
            if changed {
                *before = Some(Arc::new(now.clone()));
            }
            changed
        });
    }
}
