//! Over a real API server. The operator's part, numbering, and that of the garbage collector are played by a few lines.

mod details;
mod numbering;
mod server;

use eventflow_crd as crd;
use eventflow_domain::ports::{FunctionRegistry, FunctionStore as _, SharedFunctionStore};
use eventflow_domain::spec::{Image, Mode};
use eventflow_domain::{
    Condition, ConditionStatus, ErrorKind, FunctionSpec, Readiness, RuntimeKind, Timestamp, VersionNumber,
};
use eventflow_kubernetes::{Chosen, Namespaces, connect};
use eventflow_lifecycle::SystemClock;
use eventflow_registry::KubernetesRegistry;
use eventflow_testkit::contract::registry::{apply, variant};
use eventflow_testkit::fakes::MemoryFunctions;
use eventflow_testkit::key;
use eventflow_testkit::servers::kubernetes::{Kubernetes, Mode as Parts, Part};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use server::prepare;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::MutexGuard;
use tokio_util::task::AbortOnDropHandle;

/// A registry, whoever numbers, and the turn.
struct World {
    client: Client,
    store: Arc<MemoryFunctions>,
    _tasks: Vec<AbortOnDropHandle<()>>,
    _turn: MutexGuard<'static, ()>,
}

#[expect(clippy::disallowed_methods, reason = "a test is no service")]
fn spawn(task: impl Future<Output = ()> + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(task))
}

async fn world(numbered: bool) -> (Arc<KubernetesRegistry>, World) {
    let (client, turn) = server::empty().await;
    let store: Arc<MemoryFunctions> = Arc::default();
    let (registry, mut tasks) = open(&client, &store).await;
    if numbered {
        tasks.push(spawn(numbering::number(client.clone())));
    }
    (registry, World { client, store, _tasks: tasks, _turn: turn })
}

async fn open(
    client: &Client,
    store: &Arc<MemoryFunctions>,
) -> (Arc<KubernetesRegistry>, Vec<AbortOnDropHandle<()>>) {
    let (namespaces, choosing) = Namespaces::follow(client.clone(), Chosen::Enabled);
    let functions = Arc::clone(store) as Arc<dyn SharedFunctionStore>;
    let (registry, following) =
        KubernetesRegistry::open(client.clone(), namespaces, functions, Arc::new(SystemClock::new()));
    let tasks = vec![spawn(choosing), spawn(following)];
    tokio::time::timeout(Duration::from_secs(30), registry.listed()).await.expect("should be seen soon");
    (Arc::new(registry), tasks)
}

async fn fresh() -> (Arc<KubernetesRegistry>, World) {
    world(true).await
}

mod contract {
    eventflow_testkit::registry_suite!(foreign: super::fresh().await);
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.unwrap_or_else(|_| panic!("{what}"));
}

fn functions(world: &World) -> Api<crd::Function> {
    Api::namespaced(world.client.clone(), "default")
}

#[tokio::test]
async fn a_function_applied_by_kubectl_and_one_applied_by_the_api_are_the_same_thing() {
    let (registry, world) = fresh().await;
    server::shared()
        .await
        .apply(
            "{apiVersion: eventflow.io/v1alpha1, kind: Function, metadata: {name: f, namespace: default, \
             labels: {team: media}}, spec: {image: 'registry.example/f:1', args: ['1']}}",
        )
        .await;
    until("it should be seen and numbered", || {
        registry.get(&key("f")).is_some_and(|function| function.version == VersionNumber(1))
    })
    .await;
    let seen = registry.get(&key("f")).expect("there");
    assert_eq!(*seen.spec, variant(1, 0), "with the same defaults");
    assert_eq!(registry.managed_by(&key("f")).as_deref(), Some("kubectl"));
    let version = registry.version(seen.uid, VersionNumber(1)).await.expect("a version");
    assert_eq!((version.created_by.as_str(), &*version.spec), ("kubectl", &variant(1, 0)));

    let changed = registry.apply(apply("f", variant(2, 0))).await.expect("applied");
    assert!(changed.changed && !changed.created);
    assert_eq!(changed.function.version, VersionNumber(2));
    let object = functions(&world).get("f").await.expect("there");
    assert_eq!(object.labels().get("team").map(String::as_str), Some("media"), "what others put there stays");
    assert_eq!(registry.managed_by(&key("f")).as_deref(), Some("tester"));
    registry.delete(&key("f"), None).await.expect("deleted");
    assert!(functions(&world).get_opt("f").await.expect("an answer").is_none());
}

#[tokio::test]
async fn code_that_nobody_has_numbered_is_not_run_as_an_old_version() {
    let (registry, world) = world(false).await;
    let first = registry.apply(apply("f", variant(1, 0))).await.expect("applied").function;
    assert_eq!(first.version, VersionNumber(0), "without an operator there is no version");
    let task = spawn(numbering::number(world.client.clone()));
    until("it should be numbered", || registry.get(&key("f")).is_some_and(|f| f.version == VersionNumber(1)))
        .await;
    drop(task);
    let applied = registry.apply(apply("f", variant(2, 7))).await.expect("applied").function;
    assert_eq!((applied.version, &*applied.spec), (VersionNumber(1), &variant(2, 7)), "as it was written");
    let shown = registry.get(&key("f")).expect("there");
    assert!(shown.spec.same_code(&variant(1, 0)), "the code of version 1 runs as version 1");
    assert_eq!(shown.spec.scale, variant(2, 7).scale, "and policy counts at once");
    let _task = spawn(numbering::number(world.client.clone()));
    until("it should be numbered", || registry.get(&key("f")).is_some_and(|f| f.version == VersionNumber(2)))
        .await;
    assert_eq!(*registry.get(&key("f")).expect("there").spec, variant(2, 7));
}

#[tokio::test]
async fn a_namespace_that_is_not_enabled_is_refused_with_what_to_do() {
    let (registry, world) = fresh().await;
    let api = Api::<Namespace>::all(world.client.clone());
    let label = |value: serde_json::Value| {
        Patch::Merge(serde_json::json!({"metadata": {"labels": {"eventflow.io/enabled": value}}}))
    };
    registry.apply(apply("f", variant(1, 0))).await.expect("applied");
    api.patch("default", &PatchParams::default(), &label(serde_json::Value::Null)).await.expect("patched");
    until("its functions should go", || registry.get(&key("f")).is_none()).await;
    let refused = registry.apply(apply("f", variant(2, 0))).await.expect_err("refused");
    assert_eq!(refused.reason(), "NamespaceNotEnabled");
    assert!(refused.message().contains("kubectl label namespace default eventflow.io/enabled=true"));
    api.patch("default", &PatchParams::default(), &label("true".into())).await.expect("patched");
    until("and come back", || registry.get(&key("f")).is_some()).await;
}

#[tokio::test]
async fn what_dispatchers_find_about_wasm_is_written_once_and_nothing_of_pods() {
    let (registry, world) = fresh().await;
    let digest = format!("artifact@sha256:{}", "0f".repeat(32));
    let image =
        Image::Artifact(digest.strip_prefix("artifact@").expect("a digest").parse().expect("a digest"));
    let wasm = FunctionSpec {
        runtime: RuntimeKind::Wasm,
        mode: Mode::Job,
        image: Some(image),
        args: Vec::new(),
        ..variant(1, 0)
    };
    let function = registry.apply(apply("w", wasm)).await.expect("applied").function;
    let condition = Condition {
        kind: Readiness::READY.to_owned(),
        status: ConditionStatus::True,
        reason: "Compiled".to_owned(),
        message: "in 3 ms".to_owned(),
        observed_generation: 0,
        since: Timestamp::default(),
    };
    let ready = Readiness { conditions: vec![condition], ..Readiness::default() };
    // Whoever numbers has said all it has to say.
    let numbered = async {
        while functions(&world).get("w").await.expect("there").status.and_then(|s| s.latest_version).is_none()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), numbered).await.expect("should be numbered soon");
    registry.report(function.uid, function.version, ready.clone()).await.expect("reported");
    let object = functions(&world).get("w").await.expect("there");
    let report = object.status.as_ref().and_then(|status| status.report.clone()).expect("a report");
    assert_eq!((report.version, report.ready, report.reason.as_str()), (1, true, "Compiled"));
    let seen = |version: Option<String>| {
        let registry = Arc::clone(&registry);
        move || registry.managed_by(&key("w")).is_some() && version.is_some()
    };
    until("it should be seen", seen(object.resource_version())).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    registry.report(function.uid, function.version, ready.clone()).await.expect("reported");
    let again = functions(&world).get("w").await.expect("there");
    assert_eq!(again.resource_version(), object.resource_version(), "the same again is no write");
    registry.report(function.uid, VersionNumber(9), ready.clone()).await.expect("ignored");

    let pods = registry.apply(apply("f", variant(1, 0))).await.expect("applied").function;
    registry.report(pods.uid, pods.version, ready).await.expect("ignored");
    let object = functions(&world).get("f").await.expect("there");
    assert!(object.status.and_then(|status| status.report).is_none());
}

#[tokio::test]
async fn functions_are_kept_in_the_record_as_long_as_they_are_declared() {
    let (registry, world) = fresh().await;
    let function = registry.apply(apply("f", variant(1, 0))).await.expect("applied").function;
    let kept = async {
        while world.store.function_get(&key("f")).await.expect("an answer").is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), kept).await.expect("should be kept soon");
    let version = world.store.version_get(function.uid, VersionNumber(1)).await.expect("an answer");
    assert_eq!(*version.expect("kept").spec, variant(1, 0));
    registry.delete(&key("f"), None).await.expect("deleted");
    let gone = async {
        while world.store.function_get(&key("f")).await.expect("an answer").is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.expect("should go soon");
    assert!(world.store.version_get(function.uid, VersionNumber(1)).await.expect("an answer").is_some());
}

#[tokio::test]
async fn while_the_api_server_is_away_all_is_known_and_then_followed_again() {
    let server = Kubernetes::start(Parts::Api).await;
    let client = connect(Some(&server.kubeconfig())).await.expect("a client");
    prepare(&server, &client).await;
    let store = Arc::default();
    let (registry, _tasks) = open(&client, &store).await;
    let _numbering = spawn(numbering::number(client.clone()));
    let function = registry.apply(apply("f", variant(1, 0))).await.expect("applied").function;
    server.keep_down(Part::ApiServer);
    assert_eq!(registry.get(&key("f")), Some(Arc::clone(&function)));
    assert_eq!(registry.refresh(&key("f")).await.expect("known"), Some(function));
    let written = registry.apply(apply("f", variant(2, 0))).await.expect_err("cannot be written");
    assert_eq!(written.kind(), ErrorKind::Unavailable);
    server.let_up(Part::ApiServer);
    let again = async {
        while registry.apply(apply("f", variant(3, 0))).await.is_err() {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), again).await.expect("should be written again");
    let wait = async {
        while registry.get(&key("f")).is_none_or(|function| *function.spec != variant(3, 0)) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("should be followed within a minute");
}
