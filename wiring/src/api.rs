//! `eventflow-api`: takes declarations and calls, and answers what happened.

use crate::adapters::{self, Adapters, Sections};
use crate::cluster::Cluster;
use crate::copies::Nobody;
use crate::dispatcher::Runtimes;
use crate::in_order;
use crate::ranges::{self, Section};
use crate::sections::{
    Auth, Blobs, Gateway, Kubernetes, Limits, Nats, Peers, Postgres, Process, Registry, Ui, Unguarded, Wasm,
};
use crate::service::{Service, StartError, admin, bind};
use crate::{peers, translate};
use eventflow_api::{App, Http, Parts, Shape};
use eventflow_bus::JetStreamBus;
use eventflow_dispatcher::Relay;
use eventflow_domain::ports::{Bus, Runtime, Store};
use eventflow_gateway::{Deps, ServerConfig, for_gateways, router, serve, ui};
use eventflow_interconnect::{ClientConfig, RemoteInvoker};
use eventflow_lifecycle::config::{Problems, Validate, duration};
use eventflow_lifecycle::{Handle, OnExit};
use eventflow_runtime_process::Observer;
use eventflow_store::PostgresStore;
use eventflow_telemetry::Metrics;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What CloudEvents say that they come from.
const SOURCE: &str = "/eventflow";
/// Requests at once on one connection: a gateway has one for all of its callers.
const MAX_STREAMS: u32 = 4096;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct ApiConfig {
    /// Where gRPC, grpc-web and REST are served.
    pub listen: String,
    /// Where `/healthz`, `/readyz` and `/metrics` are served beside that.
    pub admin_listen: String,
    /// A folder of this replica's own, for scratch files.
    pub data: PathBuf,
    /// What functions may be: `wasm`, in a cluster `kubernetes` (containers), on one's own machine `process`.
    pub runtimes: Vec<String>,
    /// How long running requests may go on at shutdown; at most 10m.
    #[serde(with = "duration")]
    pub grace: Duration,
    pub gateway: Gateway,
    pub ui: Ui,
    pub limits: Limits,
    pub wasm: Wasm,
    pub postgres: Postgres,
    pub nats: Nats,
    pub blobs: Blobs,
    pub auth: Auth,
    pub peers: Peers,
    pub registry: Registry,
    pub kubernetes: Kubernetes,
    pub telemetry: eventflow_telemetry::Config,
    #[doc(hidden)]
    #[serde(skip)]
    pub unguarded: Unguarded,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:8080".to_owned(),
            admin_listen: "0.0.0.0:9100".to_owned(),
            data: PathBuf::from("/var/lib/eventflow"),
            runtimes: vec!["wasm".to_owned()],
            grace: Duration::from_secs(25),
            gateway: Gateway::default(),
            ui: Ui::default(),
            limits: Limits::default(),
            wasm: Wasm::default(),
            postgres: Postgres::default(),
            nats: Nats::default(),
            blobs: Blobs::default(),
            auth: Auth::default(),
            peers: Peers::default(),
            registry: Registry::default(),
            kubernetes: Kubernetes::default(),
            telemetry: eventflow_telemetry::Config::default(),
            unguarded: Unguarded::default(),
        }
    }
}

impl Validate for ApiConfig {
    fn validate(&self, problems: &mut Problems) {
        ranges::grace(problems, self.grace);
        ranges::listeners(problems, &[("listen", &self.listen), ("admin_listen", &self.admin_listen)]);
        Runtimes::check(&self.runtimes, problems);
        let Self { gateway, ui, limits, wasm, postgres, nats, blobs, auth, peers, .. } = self;
        let Self { registry, kubernetes, .. } = self;
        let sections: [&dyn Section; 11] =
            [gateway, ui, limits, wasm, postgres, nats, blobs, auth, peers, registry, kubernetes];
        for section in sections {
            section.check(problems);
        }
        ranges::telemetry(problems, &self.telemetry);
    }
}

/// The running api.
#[derive(Debug)]
pub struct ApiService {
    address: SocketAddr,
    store: Arc<PostgresStore>,
    bus: Arc<JetStreamBus>,
}

impl Service for ApiService {
    type Config = ApiConfig;

    const NAME: &'static str = "eventflow-api";

    fn telemetry(config: &ApiConfig) -> &eventflow_telemetry::Config {
        &config.telemetry
    }

    fn grace(config: &ApiConfig) -> Duration {
        config.grace
    }

    async fn start(config: &ApiConfig, handle: &Handle) -> Result<Self, StartError> {
        let (listener, address) = bind("listen", &config.listen).await?;
        let metrics = Metrics::new();
        let ready = handle.health().check("server");
        admin(&config.admin_listen, metrics.clone(), handle).await?;
        let ApiConfig { postgres, nats, blobs, auth, registry, kubernetes, peers, unguarded, .. } = config;
        let in_cluster = Runtimes::in_cluster(&config.runtimes) || !peers.dispatchers_service.is_empty();
        let sections =
            Sections { postgres, nats, blobs, auth, registry, kubernetes, in_cluster, unguarded: *unguarded };
        let adapters = Adapters::open(sections, Self::NAME, handle).await?;
        adapters::show(&adapters.bus, &metrics);
        let app = app(config, &adapters, handle)?;
        let (reporter, health) = tonic_health::server::health_reporter();
        reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
        let services = eventflow_api::routes(&app, &adapters.authenticator, health)
            .map_err(|error| StartError::of("build the services", &error))?;
        let http = Arc::new(Http::new(app, Arc::clone(&adapters.authenticator)));
        let deps = Deps {
            invoke: http.clone(),
            proxy: http.clone(),
            health: handle.health().clone(),
            metrics,
            draining: handle.draining(),
            peers: Some(Arc::clone(&adapters.peer_key)),
            fallback: Some(ui()),
        };
        let gateway = translate::gateway(&config.gateway, &config.limits, address.ip().is_loopback());
        let router =
            router(gateway, services, deps).map_err(|error| StartError::of("build the routes", &error))?;
        let router = router.merge(for_gateways(http, Arc::clone(&adapters.peer_key), config.limits.payload));
        let router = in_order::layer(router, Arc::clone(&adapters.registry));
        let server =
            ServerConfig { grace: config.grace, max_streams: MAX_STREAMS, ..ServerConfig::default() };
        handle.spawn("server", OnExit::Shutdown, serve(listener, router, server, handle.draining()));
        ready.ready();
        Ok(Self { address, store: adapters.store, bus: adapters.bus })
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    async fn close(self) {
        adapters::close(self.store, self.bus).await;
    }
}

fn app(config: &ApiConfig, adapters: &Adapters, handle: &Handle) -> Result<Arc<App>, StartError> {
    let store: Arc<dyn Store> = adapters.store.clone();
    let bus: Arc<dyn Bus> = adapters.bus.clone();
    let relay = Relay::new(Arc::clone(&store), Arc::clone(&bus), Arc::clone(&adapters.clock));
    let wake = relay.handle();
    let token = handle.token();
    handle.spawn("relay", OnExit::Shutdown, async move { relay.run(token).await });
    let peers = peers::dispatchers(&config.peers, adapters.cluster.as_ref().map(Cluster::endpoints), handle);
    let client = ClientConfig { payload_limit: config.limits.payload, ..ClientConfig::default() };
    let invoker =
        RemoteInvoker::new(peers, Arc::clone(&adapters.peer_key), Arc::clone(&adapters.clock), client);
    let parts = Parts {
        registry: Arc::clone(&adapters.registry),
        store,
        bus,
        events: Arc::new(Arc::clone(&adapters.bus).function_events(Arc::clone(&adapters.clock), SOURCE)),
        blobs: Arc::clone(&adapters.blobs),
        invoker: Arc::new(invoker),
        runtimes: checking(config, adapters)?,
        clock: Arc::clone(&adapters.clock),
        wake_relay: Arc::new(move || wake.wake()),
    };
    let told = eventflow_api::Config {
        limits: (&config.limits).into(),
        shape: Shape::Cluster,
        trace_link: config.ui.trace_link.clone(),
    };
    Ok(App::start(parts, told, handle))
}

/// Runtimes that are only asked whether they take a declaration: they run nothing here.
fn checking(config: &ApiConfig, adapters: &Adapters) -> Result<Vec<Arc<dyn Runtime>>, StartError> {
    let wasm = Wasm { max_instances: 1, ..config.wasm.clone() };
    let sections = Runtimes { wasm: &wasm, process: &Process::default(), limits: &config.limits };
    let nobody: Arc<dyn Observer> = Arc::new(Nobody);
    let mut runtimes = sections.build(&config.runtimes, &config.data, adapters, &nobody)?;
    if let Some(cluster) = adapters.cluster.as_ref().filter(|_| Runtimes::in_cluster(&config.runtimes)) {
        let Adapters { blobs, clock, .. } = adapters;
        runtimes.push(cluster.checking(&config.kubernetes, &config.limits, blobs, clock));
    }
    Ok(runtimes)
}
