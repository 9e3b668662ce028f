//! Dispatchers on loopback, and an api that knows them.

use async_trait::async_trait;
use eventflow_auth::{Key, PeerKey};
use eventflow_domain::invocation::{Content, Source, Stored};
use eventflow_domain::ports::{
    Apply, Clock, FunctionRegistry, HttpRequest, HttpResponse, Invoker, Peer, Precondition, ProxyCall,
    QueueStats, SyncAnswer, SyncCall,
};
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{Function, InvocationId, Result, Timestamp};
use eventflow_interconnect::{
    ClientConfig, LoadSource, OwnLoad, RemoteInvoker, ServerParts, StaticPeers, routes,
};
use eventflow_registry::SqlRegistry;
use eventflow_testkit::fakes::MemoryFunctions;
use eventflow_testkit::{ManualClock, content, key, spec};
use futures::future::BoxFuture;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

type OnCall = Box<dyn Fn(SyncCall) -> BoxFuture<'static, Result<SyncAnswer>> + Send + Sync>;
type OnProxy = Box<dyn Fn(ProxyCall, HttpRequest) -> BoxFuture<'static, Result<HttpResponse>> + Send + Sync>;

/// An invoker that does what the test says, and counts.
pub(crate) struct Scripted {
    pub(crate) calls: AtomicUsize,
    on_call: OnCall,
    on_proxy: OnProxy,
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

#[async_trait]
impl Invoker for Scripted {
    async fn call(&self, call: SyncCall) -> Result<SyncAnswer> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        (self.on_call)(call).await
    }

    async fn proxy(&self, call: ProxyCall, request: HttpRequest) -> Result<HttpResponse> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        (self.on_proxy)(call, request).await
    }
}

pub(crate) fn on_call(
    run: impl Fn(SyncCall) -> BoxFuture<'static, Result<SyncAnswer>> + Send + Sync + 'static,
) -> Arc<Scripted> {
    let on_proxy: OnProxy = Box::new(|_, _| unreachable!("no request is passed in this test"));
    Arc::new(Scripted { calls: AtomicUsize::new(0), on_call: Box::new(run), on_proxy })
}

pub(crate) fn on_proxy(
    run: impl Fn(ProxyCall, HttpRequest) -> BoxFuture<'static, Result<HttpResponse>> + Send + Sync + 'static,
) -> Arc<Scripted> {
    let on_call: OnCall = Box::new(|_| unreachable!("no call is made in this test"));
    Arc::new(Scripted { calls: AtomicUsize::new(0), on_call, on_proxy: Box::new(run) })
}

#[derive(Debug)]
struct Load;

#[async_trait]
impl LoadSource for Load {
    fn own(&self) -> OwnLoad {
        OwnLoad { slots: 64, running: 3, waiting: 1 }
    }

    async fn queues(&self) -> Result<(Vec<QueueStats>, Timestamp)> {
        let now = Timestamp::from_millis(1_700_000_060_000);
        let stats = QueueStats {
            function: key("f"),
            queued: 7,
            retrying: 1,
            running: 3,
            dead_letters: 0,
            oldest_queued: Some(Timestamp::from_millis(1_700_000_000_000)),
        };
        Ok((vec![stats], now))
    }
}

/// One installation: a key, a function, and dispatchers that share both.
pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) key: Key,
    pub(crate) registry: Arc<dyn FunctionRegistry>,
    pub(crate) function: Arc<Function>,
    servers: Vec<JoinHandle<()>>,
}

impl Drop for World {
    fn drop(&mut self) {
        for server in &self.servers {
            server.abort();
        }
    }
}

pub(crate) struct Served {
    pub(crate) peer: Peer,
    pub(crate) draining: Arc<AtomicBool>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let store = Arc::new(MemoryFunctions::default());
        let registry = SqlRegistry::open(store, Arc::clone(&clock) as Arc<dyn Clock>).await.expect("opens");
        let apply = Apply {
            key: key("f"),
            spec: spec(),
            precondition: Precondition::None,
            by: "tester".into(),
            dry_run: false,
        };
        let function = registry.apply(apply).await.expect("applied").function;
        Self { clock, key: Key::generate(), registry: Arc::new(registry), function, servers: Vec::new() }
    }

    pub(crate) async fn serve(&mut self, invoker: Arc<Scripted>) -> Served {
        let draining = Arc::new(AtomicBool::new(false));
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let parts = ServerParts {
            invoker,
            registry: Arc::clone(&self.registry),
            load: Arc::new(Load),
            key: Arc::new(PeerKey::new(&self.key, "dispatcher", clock)),
            payload_limit: 8 << 20,
            draining: Arc::clone(&draining),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let peer = listener.local_addr().expect("an address").to_string().into();
        let router = routes(parts);
        self.servers.push(tokio::spawn(async move {
            axum::serve(listener, router).await.expect("serves");
        }));
        Served { peer, draining }
    }

    pub(crate) fn client(&self, peers: &[&Peer]) -> RemoteInvoker {
        self.client_with(&self.key, peers)
    }

    pub(crate) fn client_with(&self, key: &Key, peers: &[&Peer]) -> RemoteInvoker {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let peers = Arc::new(StaticPeers::new(peers.iter().map(|&peer| Arc::clone(peer))));
        let key = Arc::new(PeerKey::new(key, "api", Arc::clone(&clock)));
        let config =
            ClientConfig { payload_limit: 8 << 20, slack: Duration::from_secs(2), ..ClientConfig::default() };
        RemoteInvoker::new(peers, key, clock, config)
    }

    pub(crate) fn call(&self, payload: &str) -> SyncCall {
        let content: Content = content(payload);
        SyncCall {
            id: InvocationId::generate(),
            function: Arc::clone(&self.function),
            version: self.function.version,
            bytes: content.bytes.clone(),
            payload: Stored::inline(content),
            caller: "alice".into(),
            source: Source::Sync,
            replay_of: None,
            trace: TraceContext::generate(),
            headers: http::HeaderMap::new(),
            idempotency: None,
            wait: Duration::from_secs(5),
        }
    }
}

/// An address where nobody listens.
pub(crate) async fn nobody() -> Peer {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address").to_string().into()
}
