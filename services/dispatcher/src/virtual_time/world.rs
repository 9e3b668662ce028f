//! Any number of dispatchers on one record and one bus.

use super::clock::VirtualClock;
use super::runtime::{Noting, Started};
use super::shared_bus::SharedBus;
use super::store::{MemoryStore, Reach};
use crate::{Config, Dispatcher, Ports};
use async_trait::async_trait;
use eventflow_bus::InMemoryBus;
use eventflow_domain::invocation::Stored;
use eventflow_domain::ports::{
    Apply, BlobInfo, Blobs, Bus, ByteStream, Clock as _, FunctionRegistry, InvocationStore as _,
    Invoker as _, Live, NewInvocation, Precondition, Start, SyncAnswer, SyncCall,
};
use eventflow_domain::spec::FunctionSpec;
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{
    ArtifactDigest, Bytes, Error, Function, Invocation, InvocationId, Result, Source, Timestamp,
};
use eventflow_lifecycle::{ShutdownConfig, Supervisor};
use eventflow_registry::SqlRegistry;
use eventflow_telemetry::Metrics;
use eventflow_testkit::{content, key, spec};
use futures::stream::BoxStream;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A dispatcher and its line to the record.
pub(super) struct Member {
    pub(super) dispatcher: Arc<Dispatcher>,
    line: Arc<MemoryStore>,
    bus: Arc<SharedBus>,
    _supervisor: Supervisor,
}

impl Member {
    /// From here on it hears nothing of record and bus, and its calls of them wait: it hangs, or is cut off.
    pub(super) async fn hang(&self) {
        self.line.reach(Reach::Hung);
        self.bus.hang().await;
    }

    /// From here on its calls of the record fail.
    pub(super) fn cut_off(&self) {
        self.line.reach(Reach::Down);
    }

    pub(super) fn hears_that_the_bus_forgot(&self, at: Timestamp) {
        self.bus.says_that_it_forgot(at);
    }

    pub(super) fn comes_back(&self) {
        self.line.reach(Reach::Up);
        self.bus.comes_back();
    }
}

pub(super) struct World {
    pub(super) clock: Arc<VirtualClock>,
    pub(super) store: MemoryStore,
    pub(super) bus: Arc<dyn Bus>,
    pub(super) registry: Arc<dyn FunctionRegistry>,
    runtime: Noting,
    config: Config,
    /// Whether dispatchers share the bounds of functions.
    shared: bool,
}

impl World {
    /// Nobody works yet. As in a cluster, no dispatcher believes that it is alone.
    pub(super) async fn new(change: impl FnOnce(&mut Config)) -> Self {
        let clock = Arc::new(VirtualClock::new());
        let store = MemoryStore::new(Arc::clone(&clock) as _);
        let functions = Arc::new(store.another_line());
        let registry = SqlRegistry::open(functions, Arc::clone(&clock) as _).await.expect("a registry");
        let mut config = Config { sole: false, ..Config::default() };
        change(&mut config);
        Self {
            bus: Arc::new(InMemoryBus::new(Arc::clone(&clock) as _)),
            registry: Arc::new(registry),
            runtime: Noting { clock: Arc::clone(&clock) as _, seen: Arc::default(), outlives: false },
            store,
            clock,
            config,
            shared: false,
        }
    }

    /// As [`World::new`], where dispatchers share the bounds of functions.
    pub(super) async fn sharing() -> Self {
        Self { shared: true, ..Self::new(|_| ()).await }
    }

    /// As [`World::new`], where runs go on without their dispatcher.
    pub(super) async fn of_jobs() -> Self {
        let mut world = Self::new(|_| ()).await;
        world.runtime.outlives = true;
        world
    }

    /// Jobs that are there.
    pub(super) fn jobs(&self) -> usize {
        self.runtime.seen.lock().jobs.len()
    }

    /// As a cluster removes them some time after their end.
    pub(super) fn remove_jobs(&self) {
        self.runtime.seen.lock().jobs.clear();
    }

    /// Whether nobody can see what runs.
    pub(super) fn cluster_away(&self, away: bool) {
        self.runtime.seen.lock().away = away;
    }

    /// To look for a job takes so long.
    pub(super) fn cluster_slow(&self, slow: Duration) {
        self.runtime.seen.lock().slow = slow;
    }

    pub(super) fn looks(&self) -> usize {
        self.runtime.seen.lock().looks
    }

    pub(super) async fn cancel(&self, id: InvocationId) {
        self.store.cancel(id).await.expect("runs");
        self.bus.announce(Live::CancelRequested { invocation: id });
    }

    /// A world with one dispatcher.
    pub(super) async fn alone(change: impl FnOnce(&mut Config)) -> (Self, Member) {
        let world = Self::new(change).await;
        let member = world.joins();
        (world, member)
    }

    /// One more dispatcher.
    pub(super) fn joins(&self) -> Member {
        let (line, bus) = (Arc::new(self.store.another_line()), Arc::new(SharedBus::new(&self.bus)));
        let ports = Ports {
            store: Arc::clone(&line) as _,
            slots: self.shared.then(|| Arc::clone(&line) as _),
            bus: Arc::clone(&bus) as _,
            registry: Arc::clone(&self.registry),
            blobs: Arc::new(NoBlobs),
            runtimes: vec![Arc::new(self.runtime.clone())],
            clock: Arc::clone(&self.clock) as _,
            metrics: Metrics::new(),
        };
        let dispatcher = Dispatcher::new(ports, self.config.clone());
        let supervisor = Supervisor::new(ShutdownConfig::default());
        dispatcher.start(&supervisor.handle());
        Member { dispatcher, line, bus, _supervisor: supervisor }
    }

    /// A function that may run for a day.
    pub(super) async fn apply(&self, name: &str, change: impl FnOnce(&mut FunctionSpec)) -> Arc<Function> {
        let mut spec = FunctionSpec { timeout: Duration::from_secs(86_400), ..spec() };
        change(&mut spec);
        let precondition = Precondition::None;
        let apply = Apply { key: key(name), spec, precondition, by: "test".into(), dry_run: false };
        self.registry.apply(apply).await.expect("applied").function
    }

    pub(super) async fn paused(&self, function: &Function, paused: bool) {
        self.registry.set_paused(&function.key, paused).await.expect("there");
    }

    /// Accepts a call. Its outbox row is found by the relays' own look, at the latest after a second.
    pub(super) async fn accept(&self, function: &Function, script: &str, delay: Duration) -> InvocationId {
        let new = self.new_call(function, script, delay);
        let id = new.id;
        self.store.accept(new).await.expect("accepted");
        id
    }

    pub(super) fn new_call(&self, function: &Function, script: &str, delay: Duration) -> NewInvocation {
        let now = self.clock.now();
        NewInvocation {
            id: InvocationId::generate(),
            function: function.key.clone(),
            function_uid: function.uid,
            version: function.version,
            source: Source::Async,
            caller: "test".into(),
            replay_of: None,
            trace: TraceContext::generate(),
            payload: Stored::inline(content(script)),
            created_at: now,
            idempotency: None,
            start: Start::Queued { not_before: now + delay },
            queue_max: u32::MAX,
        }
    }

    /// Accepts a call and tells the dispatcher, as an api in the same process does.
    pub(super) async fn call(&self, member: &Member, function: &Function, script: &str) -> InvocationId {
        let id = self.accept(function, script, Duration::ZERO).await;
        member.dispatcher.wake_relay();
        id
    }

    pub(super) async fn sync_call(
        &self,
        member: &Member,
        function: &Arc<Function>,
        script: &str,
        wait: Duration,
    ) -> Result<SyncAnswer> {
        let call = SyncCall {
            id: InvocationId::generate(),
            function: Arc::clone(function),
            version: function.version,
            payload: Stored::inline(content(script)),
            bytes: Bytes::copy_from_slice(script.as_bytes()),
            caller: "test".into(),
            source: Source::Sync,
            replay_of: None,
            trace: TraceContext::generate(),
            headers: http::HeaderMap::new(),
            idempotency: None,
            wait,
        };
        member.dispatcher.call(call).await
    }

    /// Since the begin of the test.
    pub(super) fn elapsed(&self) -> Duration {
        self.clock.monotonic()
    }

    pub(super) fn starts(&self) -> Vec<Started> {
        self.runtime.seen.lock().starts.clone()
    }

    /// When each attempt of a call was started.
    pub(super) fn starts_of(&self, id: InvocationId) -> Vec<Instant> {
        self.starts().iter().filter(|start| start.id == id).map(|start| start.at).collect()
    }

    pub(super) fn running(&self) -> usize {
        self.runtime.seen.lock().running
    }

    /// The most that ever ran at once.
    pub(super) fn most(&self) -> usize {
        self.runtime.seen.lock().most
    }

    pub(super) fn record(&self, id: InvocationId) -> Invocation {
        self.store.call(id)
    }

    /// The record once it has ended, within a day.
    pub(super) async fn ended(&self, id: InvocationId) -> Invocation {
        let end = Instant::now() + Duration::from_secs(86_400);
        while !self.record(id).state().is_terminal() {
            assert!(Instant::now() < end, "never ended: {:?}", self.record(id));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.record(id)
    }

    /// Waits until it holds, looking every 10 ms, and fails where it does not within `bound`.
    pub(super) async fn until(&self, bound: Duration, holds: impl Fn() -> bool) {
        let end = Instant::now() + bound;
        while !holds() {
            assert!(Instant::now() < end, "did not come true within {bound:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Everything here is small.
#[derive(Debug)]
struct NoBlobs;

#[async_trait]
impl Blobs for NoBlobs {
    async fn put(&self, _: &str, _: ByteStream, _: u64) -> Result<u64> {
        Err(Error::unavailable("keeps no blobs"))
    }

    async fn put_artifact(&self, _: ByteStream, _: u64) -> Result<(ArtifactDigest, u64)> {
        Err(Error::unavailable("keeps no blobs"))
    }

    async fn get(&self, _: &str) -> Result<(u64, ByteStream)> {
        Err(Error::unavailable("keeps no blobs"))
    }

    async fn delete(&self, _: &str) -> Result<()> {
        Ok(())
    }

    async fn list(&self, _: &str) -> Result<BoxStream<'static, Result<BlobInfo>>> {
        Ok(Box::pin(futures::stream::empty()))
    }
}
