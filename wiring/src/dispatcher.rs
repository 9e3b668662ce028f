//! `eventflow-dispatcher`: takes calls that wait, runs them, and writes down how they ended.

use crate::adapters::{self, Adapters, Sections};
use crate::cluster::RuntimeParts;
use crate::copies::Copies;
use crate::ranges::{self, Section};
use crate::sections::{
    Auth, Blobs, Dispatcher as Dispatching, Kubernetes, Limits, Nats, Postgres, Process, Registry, Retention,
    Unguarded, Wasm,
};
use crate::service::{Service, StartError, admin, bind};
use crate::translate;
use async_trait::async_trait;
use eventflow_bus::JetStreamBus;
use eventflow_dispatcher::{Dispatcher, Ports};
use eventflow_domain::ports::{Bus, Clock, InvocationStore as _, QueueStats, Runtime};
use eventflow_domain::{Result as DomainResult, Timestamp};
use eventflow_gateway::{ServerConfig, serve};
use eventflow_interconnect::{LoadSource, OwnLoad, ServerParts, routes};
use eventflow_lifecycle::config::{Problems, Validate, duration};
use eventflow_lifecycle::{Handle, OnExit};
use eventflow_runtime_process::Observer;
use eventflow_store::PostgresStore;
use eventflow_telemetry::Metrics;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Calls at once on the connection of one api.
const MAX_STREAMS: u32 = 4096;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct DispatcherConfig {
    /// Where the apis reach it.
    pub listen: String,
    /// Where `/healthz`, `/readyz` and `/metrics` are served.
    pub admin_listen: String,
    /// A folder of this replica's own: compiled code, scratch files.
    pub data: PathBuf,
    /// What functions may be: `wasm`, in a cluster `kubernetes` (containers), on one's own machine `process`.
    pub runtimes: Vec<String>,
    /// How long running calls may go on at shutdown; at most 10m.
    #[serde(with = "duration")]
    pub grace: Duration,
    pub limits: Limits,
    pub dispatcher: Dispatching,
    pub retention: Retention,
    pub process: Process,
    pub wasm: Wasm,
    pub postgres: Postgres,
    pub nats: Nats,
    pub blobs: Blobs,
    pub auth: Auth,
    pub registry: Registry,
    pub kubernetes: Kubernetes,
    pub telemetry: eventflow_telemetry::Config,
    #[doc(hidden)]
    #[serde(skip)]
    pub unguarded: Unguarded,
}

impl Default for DispatcherConfig {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:9090".to_owned(),
            admin_listen: "0.0.0.0:9100".to_owned(),
            data: PathBuf::from("/var/lib/eventflow"),
            runtimes: vec!["wasm".to_owned()],
            grace: Duration::from_secs(25),
            limits: Limits::default(),
            dispatcher: Dispatching::default(),
            retention: Retention::default(),
            process: Process::default(),
            wasm: Wasm::default(),
            postgres: Postgres::default(),
            nats: Nats::default(),
            blobs: Blobs::default(),
            auth: Auth::default(),
            registry: Registry::default(),
            kubernetes: Kubernetes::default(),
            telemetry: eventflow_telemetry::Config::default(),
            unguarded: Unguarded::default(),
        }
    }
}

impl Validate for DispatcherConfig {
    fn validate(&self, problems: &mut Problems) {
        ranges::grace(problems, self.grace);
        ranges::listeners(problems, &[("listen", &self.listen), ("admin_listen", &self.admin_listen)]);
        Runtimes::check(&self.runtimes, problems);
        let Self { limits, dispatcher, retention, process, wasm, .. } = self;
        let Self { postgres, nats, blobs, auth, registry, kubernetes, .. } = self;
        let sections: [&dyn Section; 11] =
            [limits, dispatcher, retention, process, wasm, postgres, nats, blobs, auth, registry, kubernetes];
        for section in sections {
            section.check(problems);
        }
        ranges::telemetry(problems, &self.telemetry);
    }
}

/// The running dispatcher.
#[derive(Debug)]
pub struct DispatcherService {
    address: SocketAddr,
    store: Arc<PostgresStore>,
    bus: Arc<JetStreamBus>,
}

impl Service for DispatcherService {
    type Config = DispatcherConfig;

    const NAME: &'static str = "eventflow-dispatcher";

    fn telemetry(config: &DispatcherConfig) -> &eventflow_telemetry::Config {
        &config.telemetry
    }

    fn grace(config: &DispatcherConfig) -> Duration {
        config.grace
    }

    async fn start(config: &DispatcherConfig, handle: &Handle) -> Result<Self, StartError> {
        let (listener, address) = bind("listen", &config.listen).await?;
        let metrics = Metrics::new();
        let ready = handle.health().check("server");
        admin(&config.admin_listen, metrics.clone(), handle).await?;
        let DispatcherConfig { postgres, nats, blobs, auth, registry, kubernetes, unguarded, .. } = config;
        let in_cluster = Runtimes::in_cluster(&config.runtimes);
        let sections =
            Sections { postgres, nats, blobs, auth, registry, kubernetes, in_cluster, unguarded: *unguarded };
        let adapters = Adapters::open(sections, Self::NAME, handle).await?;
        adapters::show(&adapters.bus, &metrics);
        let dispatcher = dispatcher(config, &adapters, metrics, handle).await?;
        if let Some(cluster) = adapters.cluster.as_ref().filter(|_| in_cluster) {
            cluster.scale(kubernetes, &adapters.registry, &adapters.store, &adapters.clock, handle);
        }
        let draining = Arc::new(AtomicBool::new(false));
        let parts = ServerParts {
            invoker: dispatcher.clone(),
            registry: Arc::clone(&adapters.registry),
            load: Arc::new(Load {
                dispatcher,
                store: Arc::clone(&adapters.store),
                clock: Arc::clone(&adapters.clock),
            }),
            key: Arc::clone(&adapters.peer_key),
            payload_limit: config.limits.payload,
            draining: Arc::clone(&draining),
        };
        let (drains, token) = (handle.draining(), handle.draining());
        handle.spawn("server drain", OnExit::Log, async move {
            drains.cancelled().await;
            draining.store(true, Ordering::Release);
        });
        let server =
            ServerConfig { grace: config.grace, max_streams: MAX_STREAMS, ..ServerConfig::default() };
        handle.spawn("server", OnExit::Shutdown, serve(listener, routes(parts), server, token));
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

async fn dispatcher(
    config: &DispatcherConfig,
    adapters: &Adapters,
    metrics: Metrics,
    handle: &Handle,
) -> Result<Arc<Dispatcher>, StartError> {
    let bus: Arc<dyn Bus> = adapters.bus.clone();
    let copies =
        Copies::start(Arc::clone(&adapters.registry), Arc::clone(&bus), Arc::clone(&adapters.clock), handle);
    let observer: Arc<dyn Observer> = copies;
    let sections = Runtimes { wasm: &config.wasm, process: &config.process, limits: &config.limits };
    let mut runtimes = sections.build(&config.runtimes, &config.data, adapters, &observer)?;
    if let Some(cluster) = adapters.cluster.as_ref().filter(|_| Runtimes::in_cluster(&config.runtimes)) {
        let Adapters { key, store, blobs, clock, .. } = adapters;
        let (section, limits) = (&config.kubernetes, &config.limits);
        let parts = RuntimeParts { section, limits, key, store, blobs, clock };
        runtimes.push(cluster.runtime(parts, handle).await?);
    }
    let ports = Ports {
        store: adapters.store.clone(),
        slots: Some(adapters.store.clone()),
        bus,
        registry: Arc::clone(&adapters.registry),
        blobs: Arc::clone(&adapters.blobs),
        runtimes,
        clock: Arc::clone(&adapters.clock),
        metrics,
    };
    let DispatcherConfig { dispatcher, retention, limits, grace, .. } = config;
    let sole = config.unguarded.lease;
    let settings = translate::dispatcher(dispatcher, retention, limits, *grace, sole);
    let dispatcher = Dispatcher::new(ports, settings);
    dispatcher.start(handle);
    Ok(dispatcher)
}

#[derive(Debug)]
struct Load {
    dispatcher: Arc<Dispatcher>,
    store: Arc<PostgresStore>,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl LoadSource for Load {
    fn own(&self) -> OwnLoad {
        let status = self.dispatcher.status();
        OwnLoad { slots: status.slots, running: status.running, waiting: status.waiting }
    }

    async fn queues(&self) -> DomainResult<(Vec<QueueStats>, Timestamp)> {
        Ok((self.store.queue_stats().await?, self.clock.now()))
    }
}

/// The runtimes of a process, by their names in the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Runtimes<'a> {
    pub wasm: &'a Wasm,
    pub process: &'a Process,
    pub limits: &'a Limits,
}

impl Runtimes<'_> {
    /// Adds what is wrong with the names.
    pub fn check(names: &[String], problems: &mut Problems) {
        if names.is_empty() {
            problems.push("runtimes", "must name at least one of wasm, kubernetes, process");
        }
        for name in names.iter().filter(|name| !matches!(name.as_str(), "wasm" | "kubernetes" | "process")) {
            problems.push("runtimes", format!("must be of wasm, kubernetes, process, has {name:?}"));
        }
    }

    /// Whether functions may run in pods.
    pub fn in_cluster(names: &[String]) -> bool {
        names.iter().any(|name| name == "kubernetes")
    }

    /// Builds those that are named and run in this process; `data` is this process's own folder.
    pub fn build(
        &self,
        names: &[String],
        data: &Path,
        adapters: &Adapters,
        observer: &Arc<dyn Observer>,
    ) -> Result<Vec<Arc<dyn Runtime>>, StartError> {
        std::fs::create_dir_all(data).map_err(|error| {
            StartError::new(format!("data: cannot make the folder {}: {error}", data.display()))
        })?;
        let (blobs, clock) = (&adapters.blobs, &adapters.clock);
        let mut runtimes = Vec::new();
        for name in names.iter().filter(|name| *name != "kubernetes") {
            let runtime = match name.as_str() {
                "process" => translate::process(self.process, self.limits, data, clock, Arc::clone(observer)),
                _ => translate::wasm(self.wasm, self.limits, data, blobs, clock),
            };
            runtimes
                .push(runtime.map_err(|error| StartError::of(&format!("start the {name} runtime"), &error))?);
        }
        Ok(runtimes)
    }
}
