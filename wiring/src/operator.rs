//! `eventflow-operator`: brings a cluster to what Functions declare.

use crate::ranges;
use crate::service::{Service, StartError, bind};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use eventflow_domain::WorkerId;
use eventflow_domain::ports::Clock;
use eventflow_domain::spec::PodSecurity;
use eventflow_gateway::{ServerConfig, monitoring, serve};
use eventflow_lifecycle::config::{Problems, Validate, duration};
use eventflow_lifecycle::{Handle, OnExit, SystemClock};
use eventflow_operator::admission::{self, Certificates, Renewal};
use eventflow_operator::{Config, Operator, Progress};
use eventflow_telemetry::Metrics;
use eventflow_workload::Installation;
use kube::Client;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct OperatorConfig {
    /// Where `/metrics` is served, over HTTPS.
    pub listen: String,
    /// Where `/healthz` and `/readyz` are served.
    pub admin_listen: String,
    /// How long what is going on may take at shutdown; at most 10m.
    #[serde(with = "duration")]
    pub grace: Duration,
    pub operator: Operating,
    pub admission: Admission,
    pub telemetry: eventflow_telemetry::Config,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Operating {
    /// Who this replica is: its pod's name. Empty = a name made up at the start.
    pub identity: String,
    /// EventFlow's own namespace: the Lease is there, and function pods take traffic from there.
    pub namespace: String,
    /// Functions that are brought up to date at once; 1 to 64.
    pub workers: usize,
    /// `restricted` or `baseline`: the pods of functions that say nothing of it.
    pub pod_security: PodSecurity,
    /// The port of the dispatchers that pods of Jobs fetch payloads from.
    pub fetch_port: u16,
    /// Where the gateway is reached: before `/fn/…` in the status.
    pub url: String,
}

impl Default for Operating {
    fn default() -> Self {
        let config = Config::default();
        Self {
            identity: String::new(),
            namespace: config.namespace,
            workers: config.workers,
            pod_security: config.installation.pod_security,
            fetch_port: config.installation.fetch_port,
            url: config.url,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Admission {
    /// Where the API server asks whether a Function may be stored, over HTTPS.
    pub listen: String,
    /// The Secret that keeps the certificates of all replicas.
    pub secret: String,
    /// The ValidatingWebhookConfiguration that is told whom to trust; empty = none.
    pub webhook: String,
    /// The Services that the API server and Prometheus call.
    pub services: Vec<String>,
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:9443".to_owned(),
            secret: "eventflow-operator-tls".to_owned(),
            webhook: "eventflow-functions".to_owned(),
            services: vec![
                "eventflow-operator-webhook".to_owned(),
                "operator-controller-manager-metrics-service".to_owned(),
            ],
        }
    }
}

impl Default for OperatorConfig {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:8443".to_owned(),
            admin_listen: "0.0.0.0:8081".to_owned(),
            grace: Duration::from_secs(10),
            operator: Operating::default(),
            admission: Admission::default(),
            telemetry: eventflow_telemetry::Config::default(),
        }
    }
}

impl Validate for OperatorConfig {
    fn validate(&self, problems: &mut Problems) {
        ranges::grace(problems, self.grace);
        let listeners = [
            ("listen", self.listen.as_str()),
            ("admin_listen", &self.admin_listen),
            ("admission.listen", &self.admission.listen),
        ];
        ranges::listeners(problems, &listeners);
        let Operating { workers, namespace, fetch_port, url, .. } = &self.operator;
        ranges::counts(
            problems,
            &[
                ("operator.workers", *workers as u64, 1..=64),
                ("operator.fetch_port", u64::from(*fetch_port), 1..=65535),
            ],
        );
        if let Err(error) = namespace.parse::<eventflow_domain::Namespace>() {
            problems.push("operator.namespace", error.to_string());
        }
        if !url.starts_with("http://") && !url.starts_with("https://") {
            problems.push("operator.url", "must begin with http:// or https://".to_owned());
        }
        for (key, name) in [("admission.secret", &self.admission.secret)] {
            if let Err(error) = name.parse::<eventflow_domain::ConfigName>() {
                problems.push(key, error.to_string());
            }
        }
        ranges::telemetry(problems, &self.telemetry);
    }
}

/// The running operator.
#[derive(Debug)]
pub struct OperatorService {
    address: SocketAddr,
}

impl Service for OperatorService {
    type Config = OperatorConfig;

    const NAME: &'static str = "eventflow-operator";

    fn telemetry(config: &OperatorConfig) -> &eventflow_telemetry::Config {
        &config.telemetry
    }

    fn grace(config: &OperatorConfig) -> Duration {
        config.grace
    }

    async fn start(config: &OperatorConfig, handle: &Handle) -> Result<Self, StartError> {
        let (admin, address) = bind("admin_listen", &config.admin_listen).await?;
        let (metrics_listener, _) = bind("listen", &config.listen).await?;
        let (admission_listener, _) = bind("admission.listen", &config.admission.listen).await?;
        let client = client().await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let own = eventflow_operator::Metrics::default();
        let metrics = Metrics::with(|registry| own.register(registry));

        let operator =
            Operator::start(&client, translate(&config.operator), Arc::clone(&clock), &own, handle);
        let certificates = Certificates::new();
        let renewal = renewal(config, &client, clock, &certificates);
        handle.spawn("certificates", OnExit::Shutdown, renewal.run(handle.token()));

        let stop = handle.draining();
        let router = admission::router(Arc::clone(&operator.index));
        let webhook = admission::serve(admission_listener, router, Arc::clone(&certificates), stop.clone());
        handle.spawn("admission", OnExit::Shutdown, webhook);
        let router = admission::authorized(monitoring(handle.health().clone(), metrics), client.clone());
        let shown = admission::serve(metrics_listener, router, certificates, stop.clone());
        handle.spawn("metrics", OnExit::Shutdown, shown);
        let bounds = ServerConfig { max_connections: 64, grace: Duration::ZERO, ..ServerConfig::default() };
        let router = probes(handle, operator.progress);
        handle.spawn("probes", OnExit::Shutdown, serve(admin, router, bounds, handle.token()));
        Ok(Self { address })
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    async fn close(self) {}
}

/// From the pod's own account, or from the kubeconfig of whoever starts it.
async fn client() -> Result<Client, StartError> {
    let failed = |error: &(dyn std::error::Error + 'static)| StartError::of("find the cluster", error);
    let mut config = kube::Config::infer().await.map_err(|error| failed(&error))?;
    config.connect_timeout = Some(Duration::from_secs(10));
    config.write_timeout = Some(Duration::from_secs(30));
    Client::try_from(config).map_err(|error| failed(&error))
}

fn translate(config: &Operating) -> Config {
    let identity = match config.identity.as_str() {
        "" => WorkerId::generate("eventflow-operator").to_string(),
        name => name.to_owned(),
    };
    Config {
        identity,
        namespace: config.namespace.clone(),
        workers: config.workers,
        installation: Installation {
            namespace: config.namespace.clone(),
            pod_security: config.pod_security,
            fetch_port: config.fetch_port,
        },
        url: config.url.trim_end_matches('/').to_owned(),
        ..Config::default()
    }
}

fn renewal(
    config: &OperatorConfig,
    client: &Client,
    clock: Arc<dyn Clock>,
    certificates: &Arc<Certificates>,
) -> Renewal {
    let namespace = config.operator.namespace.clone();
    let names = config.admission.services.iter().flat_map(|service| {
        [
            format!("{service}.{namespace}.svc"),
            format!("{service}.{namespace}.svc.cluster.local"),
            format!("{service}.{namespace}"),
        ]
    });
    Renewal {
        client: client.clone(),
        clock,
        names: names.chain(["localhost".to_owned()]).collect(),
        namespace,
        secret: config.admission.secret.clone(),
        webhook: config.admission.webhook.clone(),
        certificates: Arc::clone(certificates),
    }
}

/// What the kubelet asks. Not alive = a watch is dead and does not come back: a restart is the remedy.
fn probes(handle: &Handle, progress: Progress) -> Router {
    let health = handle.health().clone();
    Router::new()
        .route("/healthz", get(alive))
        .route(
            "/readyz",
            get(|| async move {
                let report = health.report();
                let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
                (status, axum::Json(report))
            }),
        )
        .with_state(progress)
}

async fn alive(State(progress): State<Progress>) -> (StatusCode, String) {
    let dead = progress.dead();
    if dead.is_empty() {
        return (StatusCode::OK, "{\"alive\":true}\n".to_owned());
    }
    let lines =
        dead.iter().map(|(path, silence)| format!("{path}: nothing arrived for {}s\n", silence.as_secs()));
    (StatusCode::SERVICE_UNAVAILABLE, lines.collect())
}
