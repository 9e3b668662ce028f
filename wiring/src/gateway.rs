//! `eventflow-gateway`: one door for every protocol, over any number of apis and dispatchers. It holds no state.

use crate::adapters;
use crate::cluster::Endpoints;
use crate::ranges::{self, Section};
use crate::sections::{Auth, Gateway, Kubernetes, Limits, Peers};
use crate::service::{Service, StartError, admin, bind};
use crate::{peers, translate, users};
use eventflow_auth::{Authenticator, DevLogin, Key, PeerKey};
use eventflow_domain::ports::{self, Clock};
use eventflow_gateway::{Deps, RemoteApi, ServerConfig, router, serve, ui};
use eventflow_interconnect::{Answering, Apis, BalanceConfig, ClientConfig, RemoteInvoker};
use eventflow_lifecycle::config::{Problems, Validate, duration};
use eventflow_lifecycle::{Handle, OnExit, SystemClock};
use eventflow_telemetry::Metrics;
use eventflow_telemetry::metrics::prometheus_client::metrics::gauge::Gauge;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct GatewayConfig {
    /// Where gRPC, grpc-web, REST and function URLs are served.
    pub listen: String,
    /// Where `/healthz`, `/readyz` and `/metrics` are served beside that.
    pub admin_listen: String,
    /// How long running requests may go on at shutdown; at most 10m.
    #[serde(with = "duration")]
    pub grace: Duration,
    pub gateway: Gateway,
    pub limits: Limits,
    /// Of it the key alone: the apis log people in.
    pub auth: Auth,
    pub peers: Peers,
    /// Of it how to get in, and where EventFlow's own objects are.
    pub kubernetes: Kubernetes,
    pub telemetry: eventflow_telemetry::Config,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:8080".to_owned(),
            admin_listen: "0.0.0.0:9100".to_owned(),
            grace: Duration::from_secs(25),
            gateway: Gateway::default(),
            limits: Limits::default(),
            auth: Auth::default(),
            peers: Peers::default(),
            kubernetes: Kubernetes::default(),
            telemetry: eventflow_telemetry::Config::default(),
        }
    }
}

impl Validate for GatewayConfig {
    fn validate(&self, problems: &mut Problems) {
        ranges::grace(problems, self.grace);
        ranges::listeners(problems, &[("listen", &self.listen), ("admin_listen", &self.admin_listen)]);
        let Self { gateway, limits, auth, peers, kubernetes, .. } = self;
        let sections: [&dyn Section; 5] = [gateway, limits, auth, peers, kubernetes];
        for section in sections {
            section.check(problems);
        }
        if peers.apis.is_empty() && peers.apis_service.is_empty() {
            problems.push("peers.apis", "must name at least one api, host:port");
        }
        ranges::telemetry(problems, &self.telemetry);
    }
}

/// The running gateway.
#[derive(Debug)]
pub struct GatewayService {
    address: SocketAddr,
}

impl Service for GatewayService {
    type Config = GatewayConfig;

    const NAME: &'static str = "eventflow-gateway";

    fn telemetry(config: &GatewayConfig) -> &eventflow_telemetry::Config {
        &config.telemetry
    }

    fn grace(config: &GatewayConfig) -> Duration {
        config.grace
    }

    async fn start(config: &GatewayConfig, handle: &Handle) -> Result<Self, StartError> {
        let (listener, address) = bind("listen", &config.listen).await?;
        let ready = handle.health().check("server");
        let seen = Seen::default();
        let metrics = Metrics::with(|registry| seen.register(registry));
        admin(&config.admin_listen, metrics.clone(), handle).await?;
        let key = adapters::key(&config.auth.key_file)?;
        let cluster = cluster(config).await?;
        let found = peers::apis(&config.peers, cluster.as_ref(), handle);
        let apis = Apis::new(found, peer_key(&key), clock(), BalanceConfig::default());
        watch(&apis, seen, handle);
        let dispatchers = peers::dispatchers(&config.peers, cluster.as_ref(), handle);
        let remote = Arc::new(remote(config, &key, apis.clone(), dispatchers)?);
        let deps = Deps {
            invoke: remote.clone(),
            proxy: remote,
            health: handle.health().clone(),
            metrics,
            draining: handle.draining(),
            peers: None,
            fallback: Some(ui()),
        };
        let gateway = translate::gateway(&config.gateway, &config.limits, address.ip().is_loopback());
        let router =
            router(gateway, apis, deps).map_err(|error| StartError::of("build the routes", &error))?;
        let server = ServerConfig { grace: config.grace, ..ServerConfig::default() };
        handle.spawn("server", OnExit::Shutdown, serve(listener, router, server, handle.draining()));
        ready.ready();
        Ok(Self { address })
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    async fn close(self) {}
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

fn peer_key(key: &Key) -> Arc<PeerKey> {
    Arc::new(PeerKey::new(key, GatewayService::NAME, clock()))
}

/// Opened only where a Service is named.
async fn cluster(config: &GatewayConfig) -> Result<Option<Endpoints>, StartError> {
    let Peers { apis_service, dispatchers_service, .. } = &config.peers;
    if apis_service.is_empty() && dispatchers_service.is_empty() {
        return Ok(None);
    }
    Endpoints::open(&config.kubernetes).await.map(Some)
}

fn remote(
    config: &GatewayConfig,
    key: &Key,
    apis: Apis,
    dispatchers: Arc<dyn ports::Peers>,
) -> Result<RemoteApi, StartError> {
    // It logs nobody in: that is the apis' business.
    let nobody = users::read(None, DevLogin::Disabled)?;
    let authenticator = Arc::new(Authenticator::new(key, nobody, clock()));
    let payload_limit = config.limits.payload;
    let client = ClientConfig { payload_limit, ..ClientConfig::default() };
    let dispatchers = RemoteInvoker::new(dispatchers, peer_key(key), clock(), client);
    Ok(RemoteApi::new(authenticator, apis, Arc::new(dispatchers), payload_limit))
}

/// Readiness follows the apis: one that answers is enough, it says more exactly what is wrong.
fn watch(apis: &Apis, seen: Seen, handle: &Handle) {
    let health = handle.health().check("apis");
    let token = handle.token();
    let probe = apis.clone().probe(move |answering| {
        seen.tell(answering);
        if answering.answering > 0 {
            health.ready();
        } else {
            health.not_ready(format!("none of {} apis answers", answering.known));
        }
    });
    handle.spawn("probe of the apis", OnExit::Shutdown, async move {
        token.run_until_cancelled(probe).await;
    });
}

/// `eventflow_gateway_apis_*`.
#[derive(Debug, Clone, Default)]
struct Seen {
    known: Gauge,
    answering: Gauge,
    ready: Gauge,
}

impl Seen {
    fn register(&self, registry: &mut eventflow_telemetry::metrics::prometheus_client::registry::Registry) {
        let gauges = [
            ("eventflow_gateway_apis_known", "Replicas of the api that are known", &self.known),
            ("eventflow_gateway_apis_answering", "Of those, the ones that answer", &self.answering),
            ("eventflow_gateway_apis_ready", "Of those, the ones that are ready", &self.ready),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
    }

    fn tell(&self, answering: Answering) {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.known.set(number(answering.known));
        self.answering.set(number(answering.answering));
        self.ready.set(number(answering.ready));
    }
}
