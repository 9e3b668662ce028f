//! Http mode: requests to the ready pods of a function's Deployment.
//!
//! ```text
//!   EndpointSlices ──▶ Pools ──▶ Pool of one function: copies, how busy each is, requests that wait
//!                        │           ├ the less loaded of two takes the next request
//!                        │           └ none there: held until one is ready, no longer than the start deadline
//!                        └ wake: the first copy from zero, by deployments/scale
//! ```

mod pool;
mod ready;
mod wake;

use crate::job::pod::{self, Phase, Why};
use eventflow_crd::names;
use eventflow_domain::error::Chain;
use eventflow_domain::logs::Stream;
use eventflow_domain::ports::{Call, Clock, HttpRequest, HttpResponse, LogSink};
use eventflow_domain::quantity::format_duration;
use eventflow_domain::{Failure, FunctionKey, Reason, StartKind, VersionNumber};
use eventflow_kubernetes::{Cache, Change};
use eventflow_runtime_http::{Answered, Error, Place as _, Tasks, request};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::{Client, ResourceExt as _};
use parking_lot::Mutex;
use pool::{Place, Pool};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Copies that a request is offered to, where each refuses the connection: slices lag behind pods that go.
const OFFERS: usize = 4;
/// Functions that may wait to be woken.
const WAKES: usize = 4096;

#[derive(Debug)]
struct Inner {
    clock: Arc<dyn Clock>,
    slices: Cache<EndpointSlice>,
    pods: Cache<Pod>,
    pools: Mutex<HashMap<FunctionKey, Arc<Pool>>>,
    tasks: Tasks,
    wake: mpsc::Sender<FunctionKey>,
}

/// The pools of all functions that were called.
#[derive(Debug)]
pub(crate) struct Pools(Arc<Inner>);

impl Pools {
    /// Nothing is learned before the future runs.
    pub(crate) fn new(
        client: Client,
        slices: Cache<EndpointSlice>,
        pods: Cache<Pod>,
        clock: Arc<dyn Clock>,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (wake, asked) = mpsc::channel(WAKES);
        let changes = slices.changes();
        let inner =
            Arc::new(Inner { clock, slices, pods, pools: Mutex::default(), tasks: Tasks::default(), wake });
        let following = follow(Arc::clone(&inner), client, changes, asked);
        (Self(inner), following)
    }

    pub(crate) fn in_flight(&self, function: &FunctionKey) -> usize {
        self.0.pools.lock().get(function).map_or(0, |pool| pool.in_flight())
    }

    pub(crate) fn forget(&self, function: &FunctionKey) {
        self.0.pools.lock().remove(function);
    }

    pub(crate) async fn serve(
        &self,
        call: Call,
        request: HttpRequest,
        logs: Arc<dyn LogSink>,
    ) -> Result<HttpResponse, Failure> {
        let deadline = Instant::now() + call.start_deadline;
        let pool = self.0.pool(&call.version.key);
        let mut unsent = Some(request);
        let mut built = None;
        for _ in 0..OFFERS {
            let (place, start) = self.0.acquire(&pool, &call, deadline).await?;
            let started_at = self.0.clock.now();
            let ends = Instant::now() + call.timeout;
            let connections = Arc::clone(place.connections());
            let to_send = match (built.take(), unsent.take()) {
                (Some(again), _) => again,
                (None, Some(first)) => self::request(&call, first, connections.address()),
                (None, None) => break,
            };
            match tokio::time::timeout_at(ends, connections.try_send(to_send)).await {
                Ok(Ok((response, sender))) => {
                    say_version(&call, &place, logs.as_ref());
                    let deadline = ends;
                    let answered =
                        Answered { response, sender, connections, place, start, started_at, deadline };
                    return Ok(answered.passed_on());
                }
                Ok(Err((error, Some(back)))) => {
                    tracing::debug!(function = %call.version.key, error = %Chain(&error), "a copy took no connection");
                    pool.suspect(&place);
                    built = Some(back);
                }
                Ok(Err((error, None))) => return Err(no_answer(&error)),
                Err(_) => {
                    place.overran();
                    let timeout = format_duration(call.timeout);
                    let text = format!("gave no answer within its timeout of {timeout}");
                    return Err(Failure::new(Reason::Timeout, text));
                }
            }
        }
        Err(Failure::new(Reason::NoAnswer, "no ready copy takes connections"))
    }
}

fn no_answer(error: &Error) -> Failure {
    Failure::new(Reason::NoAnswer, Chain(error).to_string())
}

/// While a new version rolls out, old copies answer too.
fn say_version(call: &Call, place: &Place, logs: &dyn LogSink) {
    if let Some(version) = place.version().filter(|version| *version != call.version.number) {
        logs.write(Stream::System, format!("answered by a copy of version {version}\n").as_bytes());
    }
}

impl Inner {
    fn pool(&self, key: &FunctionKey) -> Arc<Pool> {
        let mut pools = self.pools.lock();
        if let Some(pool) = pools.get(key) {
            return Arc::clone(pool);
        }
        let pool = Arc::new(Pool::new(self.tasks.clone()));
        pool.replace(self.ready(key));
        pools.insert(key.clone(), Arc::clone(&pool));
        pool
    }

    fn ready(&self, key: &FunctionKey) -> Vec<ready::Ready> {
        let namespace = key.namespace.as_str();
        let slices = self.slices.list_in(namespace, |slice| ready::is_of(slice, &key.name));
        ready::of(&slices, |pod| {
            self.pods.get(namespace, pod)?.labels().get(names::VERSION)?.parse().ok().map(VersionNumber)
        })
    }

    async fn acquire(
        &self,
        pool: &Arc<Pool>,
        call: &Call,
        deadline: Instant,
    ) -> Result<(Place, StartKind), Failure> {
        let per_copy = call.version.spec.scale.per_copy().max(1) as usize;
        let start = if pool.is_empty() { StartKind::Cold } else { StartKind::Warm };
        if start == StartKind::Cold {
            // Where many wait, one word is enough.
            let _ = self.wake.try_send(call.version.key.clone());
        }
        match tokio::time::timeout_at(deadline, pool.acquire(per_copy, call.version.number)).await {
            Ok(place) => Ok((place, start)),
            Err(_) => Err(self.not_ready(call, start)),
        }
    }

    fn not_ready(&self, call: &Call, start: StartKind) -> Failure {
        let within = format_duration(call.start_deadline);
        if start == StartKind::Warm {
            let text = format!("every copy was busy for {within}; raise scaling.max or scaling.concurrency");
            return Failure::new(Reason::StartDeadline, text);
        }
        let key = &call.version.key;
        let of_function = |pod: &Pod| {
            pod.labels().get(names::FUNCTION).is_some_and(|name| name == key.name.as_str())
                && pod.labels().get(names::ROLE).is_some_and(|role| role == names::WARM)
        };
        let pods = self.pods.list_in(key.namespace.as_str(), of_function);
        let why = pods.iter().find_map(|pod| match pod::phase(pod) {
            Phase::Waiting(Some(why)) | Phase::Hopeless(why) | Phase::TakenAway(why) => Some(why),
            Phase::Ended(exit) => {
                Some(Why::new("Ended", &format!("the copy ended with exit code {}", exit.code)))
            }
            Phase::Running { .. } => Some(Why::new("NotReady", "the copy runs, but is not ready")),
            Phase::Waiting(None) => None,
        });
        let why = why.map_or_else(
            || format!("there is no copy: kubectl -n {} describe deployment fn-{}", key.namespace, key.name),
            |why| why.text(),
        );
        Failure::new(Reason::StartDeadline, format!("no copy was ready within {within}: {why}"))
    }

    fn learn(&self, slice: &EndpointSlice) {
        let Some(key) = ready::key(slice) else { return };
        let pool = self.pools.lock().get(&key).map(Arc::clone);
        if let Some(pool) = pool {
            pool.replace(self.ready(&key));
            // The last copy went while requests waited for a place there.
            if pool.is_empty() && pool.is_wanted() {
                let _ = self.wake.try_send(key);
            }
        }
    }

    fn learn_all(&self) {
        let pools: Vec<_> =
            self.pools.lock().iter().map(|(key, pool)| (key.clone(), Arc::clone(pool))).collect();
        for (key, pool) in pools {
            pool.replace(self.ready(&key));
        }
    }
}

async fn follow(
    inner: Arc<Inner>,
    client: Client,
    mut changes: futures::stream::BoxStream<'static, Change<EndpointSlice>>,
    mut asked: mpsc::Receiver<FunctionKey>,
) {
    let mut waking = FuturesUnordered::new();
    let mut woken: HashSet<FunctionKey> = HashSet::new();
    loop {
        tokio::select! {
            change = changes.next() => match change {
                Some(Change::Applied(slice) | Change::Deleted(slice)) => inner.learn(&slice),
                Some(Change::Resync) => inner.learn_all(),
                None => return,
            },
            Some(key) = asked.recv() => {
                if woken.insert(key.clone()) {
                    waking.push(wake::wake(client.clone(), Arc::clone(&inner.pool(&key)), key));
                }
            }
            Some(key) = waking.next() => drop(woken.remove(&key)),
        }
    }
}
