//! One machine: everything real but the user code.

use crate::faulty::Faulty;
use crate::scripted::Scripted;
use eventflow_blobs::FolderBlobs;
use eventflow_bus::InMemoryBus;
use eventflow_dispatcher::{Config, Dispatcher, Ports};
use eventflow_domain::access::Caller;
use eventflow_domain::invocation::Stored;
use eventflow_domain::ports::{
    Apply, Bus, Clock, HttpRequest, IdempotencyKey, Invoker as _, NewInvocation, Precondition, ProxyCall,
    Start, Store, SyncAnswer, SyncCall,
};
use eventflow_domain::spec::FunctionSpec;
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{Bytes, Function, Invocation, InvocationId, Result, Source, State};
use eventflow_lifecycle::{ShutdownConfig, Supervisor, SystemClock};
use eventflow_registry::SqlRegistry;
use eventflow_store::{Options, SqliteStore};
use eventflow_telemetry::Metrics;
use eventflow_testkit::{content, key, spec};
use futures::StreamExt as _;
use std::sync::Arc;
use std::time::Duration;

pub(crate) struct World {
    pub(crate) ports: Ports,
    pub(crate) runtime: Scripted,
    pub(crate) store: Arc<Faulty>,
    pub(crate) dispatcher: Arc<Dispatcher>,
    supervisor: Supervisor,
    folder: Arc<tempfile::TempDir>,
    pub(crate) config: Config,
}

pub(crate) fn quick() -> Config {
    Config {
        lease: Duration::from_millis(600),
        sweep_every: Duration::from_millis(50),
        repair_every: Duration::from_millis(200),
        log_flush: Duration::from_millis(20),
        grace: Duration::from_secs(2),
        ..Config::default()
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::build(change, false).await
    }

    /// Two processes on one record and one bus.
    pub(crate) async fn two() -> [Self; 2] {
        let first = Self::build(|config| config.sole = false, true).await;
        let second = Self::over(
            first.ports.clone(),
            first.runtime.clone(),
            Arc::clone(&first.store),
            Arc::clone(&first.folder),
            first.config.clone(),
        );
        [first, second]
    }

    async fn build(change: impl FnOnce(&mut Config), shared: bool) -> Self {
        let mut config = quick();
        change(&mut config);
        let folder = Arc::new(tempfile::tempdir().expect("a folder"));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let store =
            SqliteStore::open(folder.path(), Arc::clone(&clock), Options::default()).await.expect("a store");
        let store = Arc::new(store);
        let slots = shared.then(|| Arc::clone(&store) as _);
        let faulty = Faulty::new(store);
        let store: Arc<dyn Store> = Arc::clone(&faulty) as _;
        let blobs = FolderBlobs::open(folder.path().join("blobs")).await.expect("blobs");
        let registry =
            SqlRegistry::open(Arc::clone(&store) as _, Arc::clone(&clock)).await.expect("a registry");
        let runtime = Scripted::default();
        let ports = Ports {
            bus: Arc::new(InMemoryBus::new(Arc::clone(&clock))),
            registry: Arc::new(registry),
            blobs: Arc::new(blobs),
            runtimes: vec![Arc::new(runtime.clone())],
            slots,
            metrics: Metrics::new(),
            store,
            clock,
        };
        Self::over(ports, runtime, faulty, folder, config)
    }

    fn over(
        ports: Ports,
        runtime: Scripted,
        store: Arc<Faulty>,
        folder: Arc<tempfile::TempDir>,
        config: Config,
    ) -> Self {
        let dispatcher = Dispatcher::new(ports.clone(), config.clone());
        let supervisor = Supervisor::new(ShutdownConfig::default());
        dispatcher.start(&supervisor.handle());
        Self { ports, runtime, store, dispatcher, supervisor, folder, config }
    }

    /// Another process on the same record: a new bus, a new dispatcher. Must be called in its tokio runtime.
    pub(crate) fn again(&self) -> Self {
        let bus: Arc<dyn Bus> = Arc::new(InMemoryBus::new(Arc::clone(&self.ports.clock)));
        let ports = Ports { bus, ..self.ports.clone() };
        Self::over(
            ports,
            self.runtime.clone(),
            Arc::clone(&self.store),
            Arc::clone(&self.folder),
            self.config.clone(),
        )
    }

    pub(crate) async fn apply(&self, name: &str, change: impl FnOnce(&mut FunctionSpec)) -> Arc<Function> {
        let mut spec = spec();
        change(&mut spec);
        let apply = Apply {
            key: key(name),
            spec,
            precondition: Precondition::None,
            by: "test".into(),
            dry_run: false,
        };
        self.ports.registry.apply(apply).await.expect("applied").function
    }

    pub(crate) fn new_call(&self, function: &Function, script: &str) -> NewInvocation {
        let now = self.ports.clock.now();
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
            start: Start::Queued { not_before: now },
            queue_max: 100_000,
        }
    }

    pub(crate) async fn accept(&self, function: &Function, script: &str) -> InvocationId {
        let new = self.new_call(function, script);
        let id = new.id;
        self.ports.store.accept(new).await.expect("accepted");
        self.dispatcher.wake_relay();
        id
    }

    pub(crate) async fn accept_all(
        &self,
        function: &Function,
        script: &str,
        count: usize,
    ) -> Vec<InvocationId> {
        let accepts = (0..count).map(|_| self.accept(function, script));
        futures::stream::iter(accepts).buffer_unordered(256).collect().await
    }

    pub(crate) fn sync_call(function: &Arc<Function>, script: &str, wait: Duration) -> SyncCall {
        SyncCall {
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
        }
    }

    pub(crate) fn keyed_call(
        &self,
        function: &Arc<Function>,
        script: &str,
        wait: Duration,
        key: &str,
    ) -> SyncCall {
        let expires_at = self.ports.clock.now() + Duration::from_secs(3600);
        let idempotency = Some(IdempotencyKey { scope: key.into(), payload_hash: [1; 32], expires_at });
        SyncCall { idempotency, ..Self::sync_call(function, script, wait) }
    }

    pub(crate) async fn call(&self, call: SyncCall) -> Result<SyncAnswer> {
        self.dispatcher.call(call).await
    }

    pub(crate) fn proxy_call(function: &Arc<Function>) -> ProxyCall {
        ProxyCall {
            id: InvocationId::generate(),
            function: Arc::clone(function),
            caller: Caller::anonymous(),
            trace: TraceContext::generate(),
        }
    }

    pub(crate) fn request(script: &'static str) -> HttpRequest {
        HttpRequest {
            method: http::Method::POST,
            uri: http::Uri::from_static("/a?b=c"),
            headers: http::HeaderMap::new(),
            body: futures::stream::iter([Ok(Bytes::from_static(script.as_bytes()))]).boxed(),
            upgrade: false,
        }
    }

    /// The record once it is in this state.
    pub(crate) async fn reaches(&self, id: InvocationId, wanted: impl Fn(State) -> bool) -> Invocation {
        for _ in 0..2000 {
            if let Some(record) = self.ports.store.get(id).await.expect("read")
                && wanted(record.state())
            {
                return record;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{id} is {:?}", self.ports.store.get(id).await);
    }

    pub(crate) async fn ended(&self, id: InvocationId) -> Invocation {
        self.reaches(id, State::is_terminal).await
    }

    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..2000 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("never: {what}");
    }

    /// The record stays open for the next dispatcher.
    pub(crate) async fn shutdown_only_dispatcher(&self) {
        self.dispatcher.shutdown(self.config.grace).await;
    }

    /// As at the end of a process.
    pub(crate) async fn shutdown(self) {
        self.dispatcher.shutdown(self.config.grace).await;
        drop(self.supervisor);
    }
}
