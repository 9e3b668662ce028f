//! Which adapter stands behind which port: the only place of this binary that names them.

use super::config::DevConfig;
use eventflow_api::{App, Http, Parts, Shape};
use eventflow_auth::{Authenticator, DevLogin, Key, Users};
use eventflow_blobs::FolderBlobs;
use eventflow_bus::InMemoryBus;
use eventflow_dispatcher::{Dispatcher, Ports};
use eventflow_domain::access::Caller;
use eventflow_domain::ports::{Blobs, Bus, Clock, FunctionRegistry, Invoker, NoEvents, Runtime, Store};
use eventflow_gateway::{Deps, ServerConfig, router, serve, ui};
use eventflow_lifecycle::{CancellationToken, Handle, OnExit, SystemClock};
use eventflow_registry::SqlRegistry;
use eventflow_store::{Options, SqliteStore};
use eventflow_telemetry::Metrics;
use eventflow_wiring::service::StartError;
use eventflow_wiring::{Copies, translate};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// The running platform.
#[derive(Debug)]
pub(super) struct Platform {
    pub(super) address: SocketAddr,
    /// For what this process does itself through its own API.
    pub(super) token: String,
    store: Arc<SqliteStore>,
}

impl Platform {
    /// After everything else has ended: the store's last writes, and the folder's lock.
    pub(super) async fn close(self) {
        self.store.close().await;
    }
}

/// A server that was killed in the middle of starting a child leaves its socket to the child until that runs its own
/// program: so long a taken port may become free by itself.
const INHERITED: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);

/// How long the start waits for a container engine to say what it is.
const ENGINE: Duration = Duration::from_secs(3);

/// The listener first, so that a taken port is told before anything else is touched.
async fn bind(config: &DevConfig) -> Result<TcpListener, StartError> {
    let address = config.address().ok_or_else(|| StartError::new("listen: not an address"))?;
    if !address.ip().is_loopback() {
        let text = format!(
            "listen: {address} is no loopback address; `eventflow dev` has a well-known password and runs commands, \
             so it serves this machine only"
        );
        return Err(StartError::new(text));
    }
    let mut waited = Duration::ZERO;
    loop {
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && waited < INHERITED => {
                tokio::time::sleep(PAUSE).await;
                waited += PAUSE;
            }
            bound => {
                return bound.map_err(|error| {
                    let text =
                        format!("listen: cannot listen on {address}: {error}; choose another by --listen");
                    StartError::new(text)
                });
            }
        }
    }
}

struct Adapters {
    clock: Arc<dyn Clock>,
    store: Arc<SqliteStore>,
    blobs: Arc<dyn Blobs>,
    bus: Arc<dyn Bus>,
    registry: Arc<dyn FunctionRegistry>,
    runtimes: Vec<Arc<dyn Runtime>>,
    authenticator: Arc<Authenticator>,
}

async fn adapters(config: &DevConfig, handle: &Handle) -> Result<Adapters, StartError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    // Takes the folder's lock; nothing else may touch the folder before.
    let store = SqliteStore::open(&config.data, Arc::clone(&clock), Options::default()).await;
    let store = Arc::new(store.map_err(|error| StartError::of("open the data folder", &error))?);
    let data = config.data.canonicalize().map_err(|error| StartError::of("find the data folder", &error))?;
    let blobs = FolderBlobs::open(data.join("blobs")).await;
    let blobs: Arc<dyn Blobs> =
        Arc::new(blobs.map_err(|error| StartError::of("open the blob folder", &error))?);
    let functions: Arc<dyn Store> = store.clone();
    let registry = SqlRegistry::open(functions, Arc::clone(&clock)).await;
    let registry = registry.map_err(|error| StartError::of("read the functions", &error))?;
    let bus: Arc<dyn Bus> = Arc::new(InMemoryBus::new(Arc::clone(&clock)));
    let registry: Arc<dyn FunctionRegistry> = Arc::new(registry);
    let copies = Copies::start(Arc::clone(&registry), Arc::clone(&bus), Arc::clone(&clock), handle);
    let runtimes = runtimes(config, &data, &blobs, &clock, copies, handle).await?;
    let key = Key::load_or_create(&data.join("jwt.key"))
        .map_err(|error| StartError::of("load the token key", &error))?;
    let users = Users::new(Vec::new(), DevLogin::Enabled)
        .map_err(|error| StartError::of("read the users", &error))?;
    Ok(Adapters {
        authenticator: Arc::new(Authenticator::new(&key, users, Arc::clone(&clock))),
        bus,
        registry,
        clock,
        store,
        blobs,
        runtimes,
    })
}

async fn runtimes(
    config: &DevConfig,
    data: &std::path::Path,
    blobs: &Arc<dyn Blobs>,
    clock: &Arc<dyn Clock>,
    copies: Arc<Copies>,
    handle: &Handle,
) -> Result<Vec<Arc<dyn Runtime>>, StartError> {
    let wasm = translate::wasm(&config.wasm, &config.limits, data, blobs, clock);
    let wasm = wasm.map_err(|error| StartError::of("start the wasm runtime", &error))?;
    let process = translate::process(&config.process, &config.limits, data, clock, copies.clone());
    let process = process.map_err(|error| StartError::of("start the process runtime", &error))?;
    let container = translate::container(&config.container, &config.limits, data, clock, copies);
    let (container, keeping) =
        container.map_err(|error| StartError::of("start the container runtime", &error))?;
    handle.spawn("containers", OnExit::Shutdown, until(handle.token(), keeping));
    match tokio::time::timeout(ENGINE, container.look()).await {
        Ok(Err(why)) => tracing::info!(why, "container functions cannot run"),
        Err(_) => tracing::info!("the container engine is slow; container functions wait for it"),
        // It has said so itself.
        Ok(Ok(_)) => {}
    }
    Ok(vec![wasm, process, container])
}

async fn until(token: CancellationToken, keeping: impl Future<Output = ()>) {
    tokio::select! {
        () = keeping => {}
        () = token.cancelled() => {}
    }
}

/// Builds everything and starts it. Ready when it returns.
pub(super) async fn start(config: &DevConfig, handle: &Handle) -> Result<Platform, StartError> {
    let listener = bind(config).await?;
    let address = listener.local_addr().map_err(|error| StartError::of("read the address", &error))?;
    let adapters = adapters(config, handle).await?;
    let metrics = Metrics::new();
    let store: Arc<dyn Store> = adapters.store.clone();
    let ports = Ports {
        store: Arc::clone(&store),
        slots: None,
        bus: Arc::clone(&adapters.bus),
        registry: Arc::clone(&adapters.registry),
        blobs: Arc::clone(&adapters.blobs),
        runtimes: adapters.runtimes.clone(),
        clock: Arc::clone(&adapters.clock),
        metrics: metrics.clone(),
    };
    let settings =
        translate::dispatcher(&config.dispatcher, &config.retention, &config.limits, config.grace, true);
    let dispatcher = Dispatcher::new(ports, settings);
    dispatcher.start(handle);
    let wake = dispatcher.relay();
    let invoker: Arc<dyn Invoker> = dispatcher;
    let parts = Parts {
        registry: adapters.registry,
        store,
        bus: adapters.bus,
        events: Arc::new(NoEvents),
        blobs: adapters.blobs,
        invoker,
        runtimes: adapters.runtimes,
        clock: Arc::clone(&adapters.clock),
        wake_relay: Arc::new(move || wake.wake()),
    };
    let told = eventflow_api::Config {
        limits: config.limits(),
        shape: Shape::Local,
        trace_link: config.ui.trace_link.clone(),
    };
    let app = App::start(parts, told, handle);
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
    let services = eventflow_api::routes(&app, &adapters.authenticator, health)
        .map_err(|error| StartError::of("build the services", &error))?;
    let token = adapters
        .authenticator
        .issue(&Caller::admin("eventflow-dev"), Authenticator::LOGIN_TTL)
        .map_err(|error| StartError::of("issue a token", &error))?;
    let http = Arc::new(Http::new(Arc::clone(&app), Arc::clone(&adapters.authenticator)));
    let deps = Deps {
        invoke: http.clone(),
        proxy: http,
        health: handle.health().clone(),
        metrics,
        draining: handle.draining(),
        peers: None,
        fallback: Some(ui()),
    };
    let router = router(translate::gateway(&config.gateway, &config.limits, true), services, deps)
        .map_err(|error| StartError::of("build the routes", &error))?;
    let draining = handle.draining();
    handle.spawn("server", OnExit::Shutdown, serve(listener, router, ServerConfig::default(), draining));
    handle.ready("server");
    Ok(Platform { address, token: token.token, store: adapters.store })
}
