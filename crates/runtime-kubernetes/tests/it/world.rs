use eventflow_blobs::FolderBlobs;
use eventflow_crd as crd;
use eventflow_domain::function::FunctionVersion;
use eventflow_domain::invocation::Content;
use eventflow_domain::logs::Stream;
use eventflow_domain::ports::{Blobs, Call, LogSink, Ran, Runtime as _};
use eventflow_domain::spec::{Image, PodSecurity};
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{FunctionKey, FunctionSpec, InvocationId, RuntimeKind, VersionNumber};
use eventflow_kubernetes::{Chosen, Namespaces, connect};
use eventflow_lifecycle::SystemClock;
use eventflow_runtime_kubernetes::{JobSettings, KubernetesConfig, KubernetesRuntime, Secret};
use eventflow_testkit::servers::kubernetes::{Kubernetes, Mode};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use parking_lot::Mutex;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio_util::task::AbortOnDropHandle;

pub(crate) const KEY: &[u8] = b"the key of the installation";

/// What was printed, by stream.
#[derive(Debug, Default)]
pub(crate) struct Printed(Mutex<Vec<(Stream, Vec<u8>)>>);

impl LogSink for Printed {
    fn write(&self, stream: Stream, bytes: &[u8]) {
        self.0.lock().push((stream, bytes.to_vec()));
    }
}

impl Printed {
    pub(crate) fn of(&self, stream: Stream) -> String {
        let pieces = self.0.lock();
        let of = pieces.iter().filter(|(from, _)| *from == stream).flat_map(|(_, bytes)| bytes.clone());
        String::from_utf8(of.collect()).expect("text")
    }
}

/// A namespace of one test, and a dispatcher's runtime in it.
pub(crate) struct World {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    pub(crate) runtime: Arc<KubernetesRuntime>,
    pub(crate) blobs: Arc<dyn Blobs>,
    _folder: tempfile::TempDir,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

#[expect(clippy::disallowed_methods, reason = "a test is no service")]
pub(crate) fn spawn<T: Send + 'static>(
    task: impl Future<Output = T> + Send + 'static,
) -> AbortOnDropHandle<T> {
    AbortOnDropHandle::new(tokio::spawn(task))
}

/// The definition of Functions, once for each process.
async fn defined(client: &Client) {
    static DEFINED: OnceCell<()> = OnceCell::const_new();
    let define = || async {
        let api = Api::<
            k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
        >::all(client.clone());
        let definition = crd::definition();
        let params = PatchParams::apply("test").force();
        api.patch(&definition.name_any(), &params, &Patch::Apply(&definition))
            .await
            .expect("the definition is taken");
        let functions = Api::<crd::Function>::all(client.clone());
        while functions.list(&ListParams::default()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    DEFINED.get_or_init(define).await;
}

impl World {
    /// Against a control plane without a node.
    pub(crate) async fn control() -> Self {
        let server = Kubernetes::shared(Mode::Control).await;
        Self::at(&server.kubeconfig(), KubernetesConfig::default()).await
    }

    #[expect(clippy::used_underscore_binding, reason = "kept only to be dropped")]
    pub(crate) async fn at(kubeconfig: &Path, config: KubernetesConfig) -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let client = connect(Some(kubeconfig)).await.expect("a client");
        defined(&client).await;
        let namespace = format!("t{}-{}", std::process::id(), LAST.fetch_add(1, Ordering::Relaxed));
        let labels = json!({"eventflow.io/enabled": "true"});
        let object = json!({"metadata": {"name": namespace, "labels": labels}});
        let object: Namespace = serde_json::from_value(object).expect("a namespace");
        Api::all(client.clone()).create(&PostParams::default(), &object).await.expect("made");
        let folder = tempfile::tempdir().expect("a folder");
        let blobs: Arc<dyn Blobs> =
            Arc::new(FolderBlobs::open(folder.path().join("blobs")).await.expect("blobs"));
        let mut world = Self {
            runtime: KubernetesRuntime::new(
                KubernetesConfig::default(),
                client.clone(),
                Namespaces::follow(client.clone(), Chosen::Enabled).0,
                Arc::new(SystemClock::new()),
                Arc::clone(&blobs),
                Secret::derived(KEY),
            )
            .0,
            client,
            namespace,
            blobs,
            _folder: folder,
            _tasks: Vec::new(),
        };
        let (runtime, tasks) = world.another(config).await;
        (world.runtime, world._tasks) = (runtime, tasks);
        world
    }

    /// The runtime of another dispatcher.
    pub(crate) async fn another(
        &self,
        config: KubernetesConfig,
    ) -> (Arc<KubernetesRuntime>, Vec<AbortOnDropHandle<()>>) {
        let only = Chosen::Listed([self.namespace.clone()].into());
        let (namespaces, choosing) = Namespaces::follow(self.client.clone(), only);
        let clock = Arc::new(SystemClock::new());
        let (client, blobs) = (self.client.clone(), Arc::clone(&self.blobs));
        let secret = Secret::derived(KEY);
        let config = KubernetesConfig { pod_security: PodSecurity::Baseline, ..config };
        let (runtime, following) =
            KubernetesRuntime::new(config, client, namespaces.clone(), clock, blobs, secret);
        let tasks = vec![spawn(choosing), spawn(following)];
        runtime.watches().listed(&namespaces).await;
        (runtime, tasks)
    }

    /// A function that is declared, so that what belongs to it is not collected.
    pub(crate) async fn function(
        &self,
        name: &str,
        change: impl FnOnce(&mut FunctionSpec),
    ) -> Arc<FunctionVersion> {
        let mut spec = FunctionSpec {
            runtime: RuntimeKind::Container,
            image: Some(Image::Oci("localhost/busybox:1".to_owned())),
            command: Vec::new(),
            ..eventflow_testkit::spec()
        };
        spec.pod.image_pull_policy = Some("IfNotPresent".to_owned());
        change(&mut spec);
        let api = Api::<crd::Function>::namespaced(self.client.clone(), &self.namespace);
        let object = crd::Function::new(name, crd::declare(&spec));
        let object = api.create(&PostParams::default(), &object).await.expect("declared");
        let name = name.parse().expect("a name");
        Arc::new(FunctionVersion {
            key: FunctionKey::new(self.namespace.parse().expect("a namespace"), name),
            uid: crd::uid(&object.metadata).expect("a uid"),
            number: VersionNumber(1),
            spec: Arc::new(spec),
            created_at: eventflow_domain::Timestamp::default(),
            created_by: "test".to_owned(),
        })
    }

    pub(crate) fn call(version: &Arc<FunctionVersion>, payload: &[u8]) -> Call {
        Call {
            invocation: InvocationId::generate(),
            attempt: 1,
            version: Arc::clone(version),
            env: Arc::new([]),
            payload: Content { bytes: payload.to_vec().into(), content_type: None },
            trace: TraceContext::generate(),
            timeout: Duration::from_secs(60),
            start_deadline: Duration::from_secs(60),
            adopted: false,
        }
    }

    /// Runs beside the test.
    pub(crate) fn start(&self, call: Call) -> (AbortOnDropHandle<Ran>, Arc<Printed>) {
        let (runtime, printed) = (Arc::clone(&self.runtime), Arc::<Printed>::default());
        let logs = Arc::clone(&printed);
        (spawn(async move { runtime.run(call, logs).await }), printed)
    }

    pub(crate) fn jobs(&self) -> Api<Job> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(crate) fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The only Job, once it is there.
    pub(crate) async fn job(&self) -> Job {
        let found = async {
            loop {
                let jobs = self.jobs().list(&ListParams::default()).await.expect("an answer").items;
                if let Some(job) = jobs.into_iter().next() {
                    return job;
                }
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), found).await.expect("a Job should be made")
    }

    /// The only pod, once the Job controller made it.
    pub(crate) async fn pod(&self) -> Pod {
        let found = async {
            loop {
                let pods = self.pods().list(&ListParams::default()).await.expect("an answer").items;
                if let Some(pod) = pods.into_iter().next() {
                    return pod;
                }
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), found).await.expect("a pod should be made")
    }

    /// Plays the kubelet.
    pub(crate) async fn says(&self, pod: &Pod, status: serde_json::Value) {
        let patch = Patch::Merge(json!({ "status": status }));
        self.pods().patch_status(&pod.name_any(), &PatchParams::default(), &patch).await.expect("patched");
    }

    /// Whether no Job is left, within some seconds.
    pub(crate) async fn no_job_is_left(&self) {
        let gone = async {
            while !self.jobs().list(&ListParams::default()).await.expect("an answer").items.is_empty() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(15), gone).await.expect("the Job should go");
    }
}

pub(crate) fn agent(url: &str) -> KubernetesConfig {
    let job = JobSettings {
        agent_image: "localhost/eventflow-job-agent:1".to_owned(),
        transfer_url: url.to_owned(),
        ..JobSettings::default()
    };
    KubernetesConfig { job, ..KubernetesConfig::default() }
}

/// A container status of the function's container.
#[expect(clippy::needless_pass_by_value, reason = "it is made for this")]
pub(crate) fn container(state: serde_json::Value) -> serde_json::Value {
    json!([{"name": "function", "image": "x", "imageID": "", "ready": false, "restartCount": 0, "state": state}])
}

pub(crate) fn running() -> serde_json::Value {
    json!({"phase": "Running", "containerStatuses": container(json!({"running": {"startedAt": now()}}))})
}

pub(crate) fn ended(code: i32, reason: &str, message: &str) -> serde_json::Value {
    let state = json!({"terminated": {
        "exitCode": code, "reason": reason, "message": message, "startedAt": now(), "finishedAt": now()}});
    json!({"phase": if code == 0 { "Succeeded" } else { "Failed" }, "containerStatuses": container(state)})
}

fn now() -> String {
    k8s_openapi::jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
