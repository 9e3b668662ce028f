use super::Watches;
use crate::progress::Expected;
use eventflow_domain::error::Chain;
use futures::StreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;
use tokio::time::Instant;

/// The API server ends a watch after so long, and we begin the next.
const LENGTH: u32 = 120;
/// Silence after which a watch is begun anew: longer than a watch, which brings a bookmark every minute.
const SILENCE: Duration = Duration::from_secs(150);
/// The first wait after an error, and the longest: at most one request in a second, and back within half a minute.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(20);

/// Watches for ever.
pub(super) async fn watch<K>(
    watches: &Watches,
    api: Api<K>,
    config: watcher::Config,
    mut tell: impl AsyncTell<K>,
) where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + 'static,
{
    let path = api.resource_url().to_owned();
    let expected = watches.progress.expect(path.clone());
    let mut failures = 0;
    loop {
        let begun = Instant::now();
        let mut stream = watcher(api.clone(), config.clone().timeout(LENGTH)).boxed();
        loop {
            let next = tokio::select! {
                next = stream.next() => next,
                () = silent(&expected, begun) => {
                    tracing::warn!(watch = %path, "nothing arrived: the watch is begun anew");
                    watches.metrics.watch_broke();
                    break;
                }
            };
            match next {
                Some(Ok(event)) => {
                    failures = 0;
                    tell.tell(event).await;
                }
                Some(Err(error)) => {
                    watches.metrics.watch_broke();
                    let wait = wait(failures);
                    failures += 1;
                    tracing::warn!(watch = %path, error = %Chain(&error), ?wait, "a watch broke");
                    tokio::time::sleep(wait).await;
                }
                None => break,
            }
        }
        // Not at once again and again, whatever the server does.
        tokio::time::sleep(FIRST).await;
    }
}

/// When neither the watch before nor this one has brought anything for too long.
async fn silent(expected: &Expected, begun: Instant) {
    tokio::join!(expected.silent(SILENCE), tokio::time::sleep_until(begun + SILENCE));
}

/// Doubles, and differs from watch to watch.
fn wait(failures: u32) -> Duration {
    let base = FIRST.saturating_mul(1 << failures.min(8)).min(LONGEST);
    base + base.mul_f64(rand::random_range(0.0..0.25))
}

/// A function of events.
pub(super) trait AsyncTell<K>: Send {
    fn tell(&mut self, event: Event<K>) -> impl Future<Output = ()> + Send;
}

impl<K, F, Fut> AsyncTell<K> for F
where
    F: FnMut(Event<K>) -> Fut + Send,
    Fut: Future<Output = ()> + Send,
{
    fn tell(&mut self, event: Event<K>) -> impl Future<Output = ()> + Send {
        self(event)
    }
}
