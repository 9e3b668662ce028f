//! A cluster, namespaces of their own, and operators that can be counted, broken and killed.

mod audit;
mod operator;

pub(crate) use audit::{Audit, Cut};
pub(crate) use operator::{Running, times};

use eventflow_crd::Function;
use eventflow_testkit::servers::kubernetes::{Kubernetes, Mode};
use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::Instant;

/// How long anything may take, on a machine that is busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// One namespace of a test.
pub(crate) struct Room {
    pub(crate) cluster: &'static Kubernetes,
    pub(crate) namespace: String,
    pub(crate) client: Client,
}

impl Room {
    /// A namespace that only the operators of this test are opted in for.
    pub(crate) async fn new(mode: Mode) -> Self {
        static API: OnceCell<()> = OnceCell::const_new();
        static CONTROL: OnceCell<()> = OnceCell::const_new();
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let cluster = Kubernetes::shared(mode).await;
        let cell = if mode == Mode::Api { &API } else { &CONTROL };
        cell.get_or_init(|| install(cluster)).await;
        let namespace = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
        Self::in_namespace(cluster, namespace).await
    }

    /// In a cluster of the test's own.
    pub(crate) async fn of(cluster: &'static Kubernetes, namespace: &str) -> Self {
        install(cluster).await;
        Self::in_namespace(cluster, namespace.to_owned()).await
    }

    async fn in_namespace(cluster: &'static Kubernetes, namespace: String) -> Self {
        let client = client(cluster).await;
        let room = Self { cluster, namespace, client };
        let object = json!({"metadata": {"name": room.namespace,
            "labels": {"eventflow.io/enabled": "true", "eventflow.io/test": room.namespace}}});
        let object: Namespace = serde_json::from_value(object).expect("a Namespace");
        Api::<Namespace>::all(room.client.clone())
            .create(&PostParams::default(), &object)
            .await
            .expect("made");
        room
    }

    pub(crate) fn functions(&self) -> Api<Function> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Declares a function, as kubectl would.
    pub(crate) async fn declare(&self, name: &str, spec: &Value) -> kube::Result<Function> {
        let object = json!({"apiVersion": "eventflow.io/v1alpha1", "kind": "Function",
            "metadata": {"name": name}, "spec": spec});
        let params = PatchParams::apply("kubectl").force();
        self.functions().patch(name, &params, &Patch::Apply(&object)).await
    }

    pub(crate) async fn delete(&self, name: &str) {
        self.functions().delete(name, &DeleteParams::default()).await.expect("deleted");
    }

    /// The function once its status is of what it declares now and `condition` reads so, `Ready=True`.
    pub(crate) async fn until(&self, name: &str, condition: &str) -> Function {
        self.until_all(name, &[condition]).await
    }

    pub(crate) async fn until_all(&self, name: &str, conditions: &[&str]) -> Function {
        let last = std::cell::RefCell::new(String::new());
        let found = within(PATIENCE, || async {
            let found = self.functions().get(name).await.ok()?;
            *last.borrow_mut() = serde_json::to_string(&found.status).unwrap_or_default();
            (is_settled(&found) && conditions.iter().all(|wanted| says(&found, wanted))).then_some(found)
        })
        .await;
        found.unwrap_or_else(|| panic!("{name} never says {conditions:?}: {}", last.borrow()))
    }

    /// The object once it is there and as wanted.
    pub(crate) async fn wait<K>(&self, name: &str, wanted: impl Fn(&K) -> bool) -> K
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + DeserializeOwned
            + Clone
            + std::fmt::Debug,
    {
        let api = self.api::<K>();
        let found =
            within(PATIENCE, || async { api.get(name).await.ok().filter(|found| wanted(found)) }).await;
        found.unwrap_or_else(|| panic!("{name} is never as wanted"))
    }

    pub(crate) async fn wait_gone<K>(&self, name: &str)
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + DeserializeOwned
            + Clone
            + std::fmt::Debug,
    {
        let api = self.api::<K>();
        let gone = within(PATIENCE, || async { api.get_opt(name).await.ok()?.is_none().then_some(()) }).await;
        assert!(gone.is_some(), "{name} is never gone");
    }
}

/// Whether the status is of what is declared now.
pub(crate) fn is_settled(function: &Function) -> bool {
    let status = function.status.as_ref();
    let ready = status.and_then(|status| status.condition("Ready"));
    status.and_then(|status| status.observed_generation) == function.metadata.generation
        && ready.and_then(|ready| ready.observed_generation) == function.metadata.generation
}

/// `Ready=True`, `Degraded=Conflict`: a status, or a reason.
pub(crate) fn says(function: &Function, wanted: &str) -> bool {
    let (kind, value) = wanted.split_once('=').expect("KIND=VALUE");
    let condition = function.status.as_ref().and_then(|status| status.condition(kind));
    condition.is_some_and(|condition| condition.status == value || condition.reason == value)
}

/// Asks again and again until there is an answer.
pub(crate) async fn within<T, F>(patience: Duration, mut ask: impl FnMut() -> F) -> Option<T>
where
    F: Future<Output = Option<T>>,
{
    let start = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return Some(found);
        }
        if start.elapsed() > patience {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub(crate) async fn client(cluster: &Kubernetes) -> Client {
    Client::try_from(config(cluster).await).expect("a client")
}

pub(crate) async fn config(cluster: &Kubernetes) -> kube::Config {
    let file = kube::config::Kubeconfig::read_from(cluster.kubeconfig()).expect("a kubeconfig");
    kube::Config::from_custom_kubeconfig(file, &kube::config::KubeConfigOptions::default())
        .await
        .expect("a config")
}

/// The definition.
async fn install(cluster: &'static Kubernetes) {
    let yaml = include_str!("../../../../deploy/kustomize/base/crd/functions.eventflow.io.yaml");
    cluster.apply(yaml).await;
    let wait = ["wait", "--for=condition=Established", "--timeout=60s", "crd/functions.eventflow.io"];
    assert!(cluster.kubectl(&wait, "").await.status.success(), "the definition is not established");
}

/// An object without what only the API server knows, and with the function's name taken out.
pub(crate) fn plain(object: &impl serde::Serialize, name: &str) -> Value {
    let mut value = serde_json::to_value(object).expect("JSON");
    if let Some(metadata) = value["metadata"].as_object_mut() {
        for key in
            ["uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "annotations"]
        {
            metadata.remove(key);
        }
    }
    value["metadata"]["ownerReferences"][0]["uid"] = Value::Null;
    value["metadata"]["labels"]["eventflow.io/function-uid"] = Value::Null;
    for key in ["clusterIP", "clusterIPs"] {
        value["spec"][key] = Value::Null;
    }
    value["status"] = Value::Null;
    serde_json::from_str(&value.to_string().replace(name, "NAME")).expect("JSON")
}

/// All children of a function, comparable with those of another.
pub(crate) async fn children(room: &Room, name: &str) -> Vec<Value> {
    use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
    use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
    use k8s_openapi::api::core::v1::Service;
    use k8s_openapi::api::networking::v1::NetworkPolicy;
    async fn of<K>(room: &Room, name: &str) -> Vec<Value>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + DeserializeOwned
            + serde::Serialize
            + Clone
            + std::fmt::Debug,
    {
        let params = kube::api::ListParams::default().labels(&format!("function={name}"));
        let mut all = room.api::<K>().list(&params).await.expect("a list").items;
        all.sort_by_key(kube::ResourceExt::name_any);
        all.iter().map(|object| plain(object, name)).collect()
    }
    let mut all = of::<ControllerRevision>(room, name).await;
    all.extend(of::<NetworkPolicy>(room, name).await);
    all.extend(of::<Service>(room, name).await);
    all.extend(of::<Deployment>(room, name).await);
    all.extend(of::<HorizontalPodAutoscaler>(room, name).await);
    all
}
