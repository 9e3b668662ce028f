use crate::config::KubernetesConfig;
use crate::http::Pools;
use crate::job::{self, Ender, Pods};
use crate::transfer::Secret;
use async_trait::async_trait;
use eventflow_domain::function::{FunctionVersion, Readiness};
use eventflow_domain::ports::{Blobs, Call, Clock, HttpRequest, HttpResponse, LogSink, Ran, Run, Runtime};
use eventflow_domain::spec::{Mode, RuntimeKind};
use eventflow_domain::{Failure, FunctionKey, FunctionUid, InvocationId, Result, VersionNumber};
use eventflow_kubernetes::{Cache, Namespaces, Selector};
use eventflow_runtime_http::{oci, wrong_mode};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::{Api, Client};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How long Jobs that were given up may take to be ended at shutdown.
const LAST_ENDS: Duration = Duration::from_secs(5);

/// What all parts of the runtime use.
pub(crate) struct Shared {
    pub(crate) config: KubernetesConfig,
    pub(crate) client: Client,
    pub(crate) namespaces: Namespaces,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) secret: Secret,
    pub(crate) pods: Pods,
    pub(crate) ender: Arc<Ender>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("config", &self.config).finish_non_exhaustive()
    }
}

/// What the runtime sees of the cluster.
#[derive(Debug, Clone)]
pub struct Watches {
    pub(crate) pods: Cache<Pod>,
    pub(crate) slices: Cache<EndpointSlice>,
}

impl Watches {
    /// For how long the worst of the watches has given nothing but errors.
    pub fn failing_for(&self) -> Duration {
        self.pods.failing_for().max(self.slices.failing_for())
    }

    /// Waits until what is there was listed once.
    pub async fn listed(&self, namespaces: &Namespaces) {
        self.pods.listed(namespaces).await;
        self.slices.listed(namespaces).await;
    }
}

/// Runs functions as Jobs and as the pods of Deployments.
#[derive(Debug)]
pub struct KubernetesRuntime {
    shared: Arc<Shared>,
    pools: Pools,
    watches: Watches,
}

impl KubernetesRuntime {
    /// Runs nothing before the future runs; it does not end.
    pub fn new(
        config: KubernetesConfig,
        client: Client,
        namespaces: Namespaces,
        clock: Arc<dyn Clock>,
        blobs: Arc<dyn Blobs>,
        secret: Secret,
    ) -> (Arc<Self>, impl Future<Output = ()> + Send + 'static) {
        let of_functions = Selector { labels: job::ROLE };
        let (pods, watching_pods) = Cache::follow(client.clone(), &namespaces, of_functions, prune_pod);
        let of_functions = Selector { labels: job::FUNCTION_LABEL };
        let (slices, watching_slices) = Cache::follow(client.clone(), &namespaces, of_functions, prune_slice);
        let (of_jobs, telling) = Pods::new(pods.clone());
        let (ender, ending) = Ender::new(client.clone());
        let (pools, pooling) = Pools::new(client.clone(), slices.clone(), pods.clone(), Arc::clone(&clock));
        let shared = Shared { config, client, namespaces, clock, blobs, secret, pods: of_jobs, ender };
        let runtime = Self { shared: Arc::new(shared), pools, watches: Watches { pods, slices } };
        let following = async move {
            tokio::join!(watching_pods, watching_slices, telling, ending, pooling);
        };
        (Arc::new(runtime), following)
    }

    pub fn watches(&self) -> &Watches {
        &self.watches
    }

    /// Requests that this process has at a function's copies, or holds for them.
    pub fn in_flight(&self, function: &FunctionKey) -> usize {
        self.pools.in_flight(function)
    }
}

fn prune_pod(pod: &mut Pod) {
    pod.metadata.managed_fields = None;
    pod.metadata.annotations = None;
    pod.spec = None;
}

fn prune_slice(slice: &mut EndpointSlice) {
    slice.metadata.managed_fields = None;
    slice.metadata.annotations = None;
}

/// An answer that another try will not change.
pub(crate) fn is_final(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 404 | 409))
}

#[async_trait]
impl Runtime for KubernetesRuntime {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Container
    }

    async fn check(&self, version: &FunctionVersion) -> Result<()> {
        oci::check(&version.spec)
    }

    /// The operator says how it stands, not the dispatchers.
    async fn prepare(&self, _version: &Arc<FunctionVersion>) -> Readiness {
        Readiness::default()
    }

    async fn run(&self, call: Call, logs: Arc<dyn LogSink>) -> Ran {
        if call.version.spec.mode == Mode::Job {
            return job::run(&self.shared, call, logs).await;
        }
        wrong_mode::run(self.shared.clock.now())
    }

    async fn serve(
        &self,
        call: Call,
        request: HttpRequest,
        logs: Arc<dyn LogSink>,
    ) -> std::result::Result<HttpResponse, Failure> {
        if call.version.spec.mode == Mode::Job {
            return Err(wrong_mode::request());
        }
        self.pools.serve(call, request, logs).await
    }

    fn may_outlive(&self) -> bool {
        true
    }

    fn outlives(&self, version: &FunctionVersion) -> bool {
        version.spec.mode == Mode::Job
    }

    async fn is_there(&self, run: &Run) -> Result<bool> {
        let key = &run.version.key;
        let api = Api::<Job>::namespaced(self.shared.client.clone(), key.namespace.as_str());
        let found = api.get_opt(&job::name(&key.name, run.invocation, run.attempt)).await;
        let found = found.map_err(|error| eventflow_kubernetes::to_domain("look for a Job", error))?;
        Ok(found.is_some_and(|job| job::belongs(&job, run.invocation, run.attempt, &run.version)))
    }

    fn leave(&self, invocation: InvocationId, attempt: u32) -> bool {
        self.shared.ender.leave(invocation, attempt)
    }

    fn resolves_env(&self) -> bool {
        true
    }

    async fn retire(&self, function: &FunctionKey, _uid: FunctionUid, keep: Option<VersionNumber>) {
        if keep.is_none() {
            self.pools.forget(function);
        }
    }

    async fn shutdown(&self) {
        self.shared.ender.idle(LAST_ENDS).await;
    }
}
