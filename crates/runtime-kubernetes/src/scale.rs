//! Warm copies by what runs and waits: decided here, written by the one dispatcher that holds the Lease.

mod decide;

pub use decide::{Decision, Load, Trend, decide};

use async_trait::async_trait;
use eventflow_crd::names;
use eventflow_domain::ports::{Clock, FunctionRegistry};
use eventflow_domain::{Function, FunctionKey, Result};
use eventflow_kubernetes::{Cache, Holder, Namespaces, Selector};
use eventflow_workload::{Copies, copies, has_copies};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

/// For one answer of the API server.
const ASK: Duration = Duration::from_secs(5);

/// How often is looked, and how slowly copies go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScalerConfig {
    /// Between two looks.
    pub every: Duration,
    /// Copies go only when none of this time needed them.
    pub window: Duration,
    /// The last copy goes when nothing was called for so long.
    pub zero_after: Duration,
}

impl Default for ScalerConfig {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(2),
            window: Duration::from_secs(60),
            zero_after: Duration::from_secs(120),
        }
    }
}

/// What runs and waits, over all dispatchers.
#[async_trait]
pub trait LoadOf: Debug + Send + Sync {
    /// Of every function that has any.
    async fn loads(&self) -> Result<HashMap<FunctionKey, Load>>;
}

/// Sets `replicas` of Deployments that the dispatchers scale.
pub struct Scaler {
    client: Client,
    config: ScalerConfig,
    registry: Arc<dyn FunctionRegistry>,
    loads: Arc<dyn LoadOf>,
    clock: Arc<dyn Clock>,
    deployments: Cache<Deployment>,
    trends: HashMap<FunctionKey, Trend>,
}

impl Debug for Scaler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scaler").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Scaler {
    /// Scales while `holder` holds the Lease; does not end.
    pub async fn run(
        client: Client,
        namespaces: Namespaces,
        mut holder: Holder,
        config: ScalerConfig,
        registry: Arc<dyn FunctionRegistry>,
        loads: Arc<dyn LoadOf>,
        clock: Arc<dyn Clock>,
    ) {
        let of_functions = Selector { labels: names::FUNCTION };
        let (deployments, watching) = Cache::follow(client.clone(), &namespaces, of_functions, prune);
        let mut scaler = Self { client, config, registry, loads, clock, deployments, trends: HashMap::new() };
        let scaling = async {
            scaler.deployments.listed(&namespaces).await;
            loop {
                if holder.holds() {
                    scaler.look().await;
                    tokio::time::sleep(scaler.config.every).await;
                } else {
                    // What was seen long ago says nothing.
                    scaler.trends.clear();
                    holder.changed().await;
                }
            }
        };
        tokio::join!(watching, scaling);
    }

    async fn look(&mut self) {
        let loads = match self.loads.loads().await {
            Ok(loads) => loads,
            // Without a view of the load nothing is changed.
            Err(error) => {
                return tracing::warn!(%error, "cannot see the load, leaving the copies as they are");
            }
        };
        let functions = self.registry.list(None);
        let scaled = functions.iter().filter(|function| is_ours(function)).collect::<Vec<_>>();
        self.trends.retain(|key, _| scaled.iter().any(|function| function.key == *key));
        for function in scaled {
            let Some(current) = self.replicas(&function.key) else { continue };
            let load = loads.get(&function.key).copied().unwrap_or_default();
            let trend = self.trends.entry(function.key.clone()).or_default();
            let now = self.clock.monotonic();
            if let Decision::Set(copies) =
                decide(trend, now, function.spec.scale, current, load, &self.config)
            {
                self.set(&function.key, current, copies).await;
            }
        }
    }

    fn replicas(&self, key: &FunctionKey) -> Option<u32> {
        let deployment = self.deployments.get(key.namespace.as_str(), &names::child(&key.name))?;
        u32::try_from(deployment.spec.as_ref()?.replicas.unwrap_or(1)).ok()
    }

    async fn set(&self, key: &FunctionKey, from: u32, to: u32) {
        let api = Api::<Deployment>::namespaced(self.client.clone(), key.namespace.as_str());
        let params =
            PatchParams { field_manager: Some(names::DISPATCHER.to_owned()), ..PatchParams::default() };
        let patch = Patch::Merge(serde_json::json!({ "spec": { "replicas": to } }));
        let name = names::child(&key.name);
        match tokio::time::timeout(ASK, api.patch_scale(&name, &params, &patch)).await {
            Ok(Ok(_)) => tracing::info!(function = %key, from, to, "scaled"),
            Ok(Err(error)) if eventflow_kubernetes::is_gone(&error) => {}
            Ok(Err(error)) => tracing::warn!(function = %key, %error, "cannot scale, trying again"),
            Err(_) => tracing::warn!(function = %key, "the API server does not answer in time"),
        }
    }
}

fn is_ours(function: &Function) -> bool {
    let spec = &function.spec;
    !function.deleting && has_copies(spec) && matches!(copies(spec), Copies::Dispatcher { .. })
}

fn prune(deployment: &mut Deployment) {
    deployment.metadata.managed_fields = None;
    deployment.metadata.annotations = None;
    deployment.status = None;
    if let Some(spec) = &mut deployment.spec {
        spec.template = k8s_openapi::api::core::v1::PodTemplateSpec::default();
    }
}
