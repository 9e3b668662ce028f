//! Pods of Jobs: one watch for all of them, and a place for each run that waits for news of its own.

use eventflow_kubernetes::{Cache, Change};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::watch;

const JOB_NAME: &str = "batch.kubernetes.io/job-name";

/// The last word of a pod.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) pod: Option<Arc<Pod>>,
    /// The object is gone; `pod` is as it was last seen.
    pub(crate) gone: bool,
}

/// By namespace and name of the Job.
type Places = HashMap<(String, String), watch::Sender<Seen>>;

#[derive(Debug)]
pub(crate) struct Pods {
    cache: Cache<Pod>,
    places: Arc<Mutex<Places>>,
}

/// News of one Job's pod, until this is dropped.
#[derive(Debug)]
pub(crate) struct News {
    heard: watch::Receiver<Seen>,
    key: (String, String),
    places: Arc<Mutex<Places>>,
}

impl Drop for News {
    fn drop(&mut self) {
        self.places.lock().remove(&self.key);
    }
}

impl News {
    /// The word now.
    pub(crate) fn now(&mut self) -> Seen {
        self.heard.borrow_and_update().clone()
    }

    /// The next word.
    pub(crate) async fn next(&mut self) -> Seen {
        if self.heard.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.now()
    }
}

impl Pods {
    /// Nobody hears anything before the future runs.
    pub(crate) fn new(cache: Cache<Pod>) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let places: Arc<Mutex<Places>> = Arc::default();
        let mut changes = cache.changes();
        let (all, waiting) = (cache.clone(), Arc::clone(&places));
        let telling = async move {
            while let Some(change) = changes.next().await {
                match change {
                    Change::Applied(pod) => tell(&waiting, &pod, false),
                    Change::Deleted(pod) => tell(&waiting, &pod, true),
                    Change::Resync => all.list(|_| true).iter().for_each(|pod| tell(&waiting, pod, false)),
                }
            }
        };
        (Self { cache, places }, telling)
    }

    /// Listens for the pod of a Job, from before it is made: its pod may be seen before the answer is.
    pub(crate) fn of(&self, namespace: &str, job: &str) -> News {
        let key = (namespace.to_owned(), job.to_owned());
        let (told, heard) = watch::channel(Seen::default());
        self.places.lock().insert(key.clone(), told);
        News { heard, key, places: Arc::clone(&self.places) }
    }

    /// The Job was there before: so may its pod.
    pub(crate) fn look(&self, news: &News) {
        let (namespace, job) = &news.key;
        let of_job = |pod: &Pod| pod.labels().get(JOB_NAME).is_some_and(|name| name == job);
        // The one made first decides; there is a second one only where Kubernetes made a mistake.
        let pods = self.cache.list_in(namespace, of_job);
        if let Some(pod) = pods.iter().min_by_key(|pod| pod.creation_timestamp()) {
            tell(&self.places, pod, false);
        }
    }
}

fn tell(places: &Mutex<Places>, pod: &Arc<Pod>, gone: bool) {
    let Some(job) = pod.labels().get(JOB_NAME) else { return };
    let places = places.lock();
    let Some(place) = places.get(&(pod.namespace().unwrap_or_default(), job.clone())) else { return };
    place.send_if_modified(|seen| {
        // Whoever came first is the attempt.
        if seen.pod.as_ref().is_some_and(|first| first.uid() != pod.uid()) {
            return false;
        }
        *seen = Seen { pod: Some(Arc::clone(pod)), gone };
        true
    });
}
