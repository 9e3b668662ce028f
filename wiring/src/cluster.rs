//! What a service needs of Kubernetes: built only with the feature `kubernetes`.

use crate::sections::{Kubernetes, Limits};
use crate::service::{StartError, bind};
use async_trait::async_trait;
use eventflow_auth::Key;
use eventflow_domain::ids::WorkerId;
use eventflow_domain::ports::{
    Blobs, Clock, FunctionRegistry, InvocationStore as _, Peers, Runtime, SlotStore as _, Store,
};
use eventflow_domain::spec::PodSecurity;
use eventflow_domain::{FunctionKey, Result as DomainResult};
use eventflow_gateway::{ServerConfig, serve};
use eventflow_kubernetes::{Chosen, EndpointPeers, Holder, LeaseConfig, Namespaces, connect};
use eventflow_lifecycle::{Handle, OnExit};
use eventflow_registry::KubernetesRegistry;
use eventflow_runtime_kubernetes::{
    JobSettings, KubernetesConfig, KubernetesRuntime, Load, LoadOf, Scaler, ScalerConfig, Secret, Transfer,
};
use eventflow_store::PostgresStore;
use kube::Client;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a start waits for what is declared to be seen; after that it goes on and becomes ready when it is.
const FIRST_LOOK: Duration = Duration::from_secs(20);
/// The Lease of the dispatcher that scales.
const SCALER_LEASE: &str = "eventflow-scaler";
const DISPATCHER: &str = "eventflow-dispatcher";

/// Where the replicas of our own services are found: all that a gateway needs of a cluster.
#[derive(Clone)]
pub struct Endpoints {
    client: Client,
    /// Where EventFlow's own objects are.
    own: String,
}

impl std::fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoints").field("own", &self.own).finish_non_exhaustive()
    }
}

impl Endpoints {
    pub async fn open(section: &Kubernetes) -> Result<Self, StartError> {
        let client = connect(section.kubeconfig.as_deref()).await;
        let client = client.map_err(|error| StartError::of("reach Kubernetes", &error))?;
        Ok(Self { client, own: section.namespace.clone() })
    }

    /// The ready endpoints of a Service at its port of this name, followed from now on.
    pub fn of(&self, service: &str, port: &str, handle: &Handle) -> Arc<dyn Peers> {
        let (peers, following) = EndpointPeers::follow(self.client.clone(), &self.own, service, port);
        follow(handle, "peers", following);
        Arc::new(peers)
    }
}

/// The cluster that this process works in.
#[derive(Clone, Debug)]
pub struct Cluster {
    endpoints: Endpoints,
    namespaces: Namespaces,
}

/// What the runtime is built from.
#[derive(Debug, Clone, Copy)]
pub struct RuntimeParts<'a> {
    pub section: &'a Kubernetes,
    pub limits: &'a Limits,
    pub key: &'a Key,
    pub store: &'a Arc<PostgresStore>,
    pub blobs: &'a Arc<dyn Blobs>,
    pub clock: &'a Arc<dyn Clock>,
}

fn follow(handle: &Handle, name: &'static str, following: impl Future<Output = ()> + Send + 'static) {
    let token = handle.token();
    handle.spawn(name, OnExit::Shutdown, async move {
        token.run_until_cancelled(following).await;
    });
}

impl Cluster {
    /// Reaches for the API server only from the tasks that it starts.
    pub async fn open(section: &Kubernetes, handle: &Handle) -> Result<Self, StartError> {
        let endpoints = Endpoints::open(section).await?;
        let chosen = if section.namespaces.is_empty() {
            Chosen::Enabled
        } else {
            Chosen::Listed(section.namespaces.iter().cloned().collect())
        };
        let (namespaces, following) = Namespaces::follow(endpoints.client.clone(), chosen);
        follow(handle, "namespaces", following);
        Ok(Self { endpoints, namespaces })
    }

    /// Functions as custom resources. Ready once all of them were seen.
    pub async fn registry(
        &self,
        store: &Arc<PostgresStore>,
        clock: &Arc<dyn Clock>,
        handle: &Handle,
    ) -> Arc<dyn FunctionRegistry> {
        let (client, namespaces) = (self.endpoints.client.clone(), self.namespaces.clone());
        let (registry, following) =
            KubernetesRegistry::open(client, namespaces, store.clone(), Arc::clone(clock));
        follow(handle, "functions of the cluster", following);
        let health = handle.health().check("functions");
        let (listing, token) = (registry.clone(), handle.token());
        let (seen, first) = tokio::sync::oneshot::channel();
        handle.spawn("first look at the functions", OnExit::Log, async move {
            if token.run_until_cancelled(listing.listed()).await.is_some() {
                health.ready();
                // Whoever started this may wait no longer.
                let _ = seen.send(());
                token.cancelled().await;
            }
        });
        if tokio::time::timeout(FIRST_LOOK, first).await.is_err() {
            tracing::warn!("the API server has not shown the functions yet, starting without them");
        }
        Arc::new(registry)
    }

    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Runs functions in pods, and serves what they fetch and upload.
    pub async fn runtime(
        &self,
        parts: RuntimeParts<'_>,
        handle: &Handle,
    ) -> Result<Arc<dyn Runtime>, StartError> {
        let RuntimeParts { section, limits, key, store, blobs, clock } = parts;
        let secret = Secret::derived(key.bytes());
        let (listener, _) = bind("kubernetes.transfer_listen", &section.transfer_listen).await?;
        let transfer = Transfer {
            store: store.clone() as Arc<dyn Store>,
            blobs: Arc::clone(blobs),
            secret: secret.clone(),
            limit: limits.payload,
        };
        let server = ServerConfig { grace: Duration::from_secs(5), ..ServerConfig::default() };
        let serving = serve(listener, transfer.routes(), server, handle.token());
        handle.spawn("transfers", OnExit::Shutdown, serving);
        let (client, namespaces) = (self.endpoints.client.clone(), self.namespaces.clone());
        let (runtime, following) = KubernetesRuntime::new(
            settings(section, limits),
            client,
            namespaces,
            Arc::clone(clock),
            Arc::clone(blobs),
            secret,
        );
        follow(handle, "pods", following);
        Ok(runtime)
    }

    /// Only asked whether it takes a declaration.
    pub fn checking(
        &self,
        section: &Kubernetes,
        limits: &Limits,
        blobs: &Arc<dyn Blobs>,
        clock: &Arc<dyn Clock>,
    ) -> Arc<dyn Runtime> {
        let (client, namespaces) = (self.endpoints.client.clone(), self.namespaces.clone());
        let (clock, blobs) = (Arc::clone(clock), Arc::clone(blobs));
        let settings = settings(section, limits);
        // Never followed: it sees nothing and runs nothing.
        KubernetesRuntime::new(settings, client, namespaces, clock, blobs, Secret::derived(b"")).0
    }

    /// Scales warm copies, where this process holds the Lease.
    pub fn scale(
        &self,
        section: &Kubernetes,
        registry: &Arc<dyn FunctionRegistry>,
        store: &Arc<PostgresStore>,
        clock: &Arc<dyn Clock>,
        handle: &Handle,
    ) {
        let lease = LeaseConfig {
            namespace: self.endpoints.own.clone(),
            name: SCALER_LEASE.to_owned(),
            identity: WorkerId::generate(DISPATCHER).as_str().to_owned(),
            field_manager: DISPATCHER,
            duration: section.lease,
        };
        let (holder, holding) = Holder::follow(self.endpoints.client.clone(), lease);
        follow(handle, "scaler lease", holding);
        let config = ScalerConfig {
            every: section.scale_every,
            window: section.scale_window,
            zero_after: section.scale_to_zero_after,
        };
        let loads = Arc::new(Loads { store: store.clone(), registry: Arc::clone(registry) });
        let (client, namespaces) = (self.endpoints.client.clone(), self.namespaces.clone());
        let (registry, clock) = (Arc::clone(registry), Arc::clone(clock));
        let scaling = Scaler::run(client, namespaces, holder, config, registry, loads, clock);
        follow(handle, "scaler", scaling);
    }
}

fn settings(section: &Kubernetes, limits: &Limits) -> KubernetesConfig {
    KubernetesConfig {
        job: JobSettings {
            agent_image: section.agent_image.clone(),
            transfer_url: section.transfer_url.clone(),
            ttl: section.job_ttl,
            ..JobSettings::default()
        },
        pod_security: match section.pod_security.as_str() {
            "baseline" => PodSecurity::Baseline,
            _ => PodSecurity::Restricted,
        },
        payload: limits.payload,
        stdout_result: usize::try_from(limits.stdout_result).unwrap_or(usize::MAX),
    }
}

/// What runs and waits, as the record has it.
#[derive(Debug)]
struct Loads {
    store: Arc<PostgresStore>,
    registry: Arc<dyn FunctionRegistry>,
}

#[async_trait]
impl LoadOf for Loads {
    async fn loads(&self) -> DomainResult<HashMap<FunctionKey, Load>> {
        let mut loads: HashMap<FunctionKey, Load> = HashMap::new();
        for queue in self.store.queue_stats().await? {
            let count = |calls: u64| u32::try_from(calls).unwrap_or(u32::MAX);
            // Retries wait for their time: they need no copy before.
            let load = Load { in_flight: count(queue.running), waiting: count(queue.queued) };
            loads.insert(queue.function, load);
        }
        for (uid, used) in self.store.slots_used().await? {
            let Some(function) = self.registry.get_by_uid(uid) else { continue };
            let load = loads.entry(function.key.clone()).or_default();
            // The same calls, counted by whoever runs them: short ones never show as running.
            load.in_flight = load.in_flight.max(used);
        }
        Ok(loads)
    }
}
