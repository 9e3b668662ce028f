//! What `deploy/kustomize` makes, as a real API server sees it.

use eventflow_e2e::root;
use eventflow_testkit::servers::kubernetes::{Kubernetes, Mode};
use serde_json::Value;

const OVERLAYS: [&str; 3] = ["kind", "production", "test"];
/// Known before everything else is asked for.
const FIRST: [&str; 2] = ["Namespace", "CustomResourceDefinition"];

async fn server() -> &'static Kubernetes {
    Kubernetes::shared(Mode::Control).await
}

async fn render(folder: &str) -> String {
    let path = root().join("deploy/kustomize").join(folder);
    let output = server().await.kubectl(&["kustomize", &path.display().to_string()], "").await;
    assert!(output.status.success(), "{folder}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

async fn objects(folder: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&render(folder).await).expect("YAML")
}

fn kind(object: &Value) -> &str {
    object["kind"].as_str().expect("a kind")
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().expect("a name")
}

/// One stream of documents.
fn list(objects: &[&Value]) -> String {
    objects.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n---\n")
}

/// Applies what an overlay's other objects need to know, and KEDA's resource.
async fn prepare(objects: &[Value]) {
    let server = server().await;
    let first: Vec<_> = objects.iter().filter(|object| FIRST.contains(&kind(object))).collect();
    server.apply(&list(&first)).await;
    let keda = std::fs::read_to_string(root().join("third_party/keda/scaledobjects.yaml"));
    server.apply(&keda.expect("KEDA's resource")).await;
    let established = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"];
    assert!(server.kubectl(&established, "").await.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_overlay_is_taken_by_the_api_server_without_a_warning() {
    for overlay in OVERLAYS {
        let objects = objects(&format!("overlays/{overlay}")).await;
        prepare(&objects).await;
        let rest: Vec<_> = objects.iter().filter(|object| !FIRST.contains(&kind(object))).collect();
        assert!(rest.len() > 40, "{overlay}: {} objects", rest.len());
        let output = server()
            .await
            .kubectl(&["apply", "--server-side", "--dry-run=server", "-f", "-"], &list(&rest))
            .await;
        let said = String::from_utf8_lossy(&output.stderr);
        // Among the warnings: a pod that the namespace's Pod Security level would refuse.
        assert!(output.status.success() && said.is_empty(), "{overlay}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sample_is_a_valid_function() {
    prepare(&objects("base").await).await;
    let samples = render("samples").await;
    let output =
        server().await.kubectl(&["apply", "--server-side", "--dry-run=server", "-f", "-"], &samples).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_overlay_holds_a_secret_and_no_role_a_wildcard() {
    for overlay in OVERLAYS {
        for object in objects(&format!("overlays/{overlay}")).await {
            assert_ne!(kind(&object), "Secret", "{overlay}: {}", name(&object));
            let rules = object["rules"].as_array().cloned().unwrap_or_default();
            for rule in rules.iter().filter(|_| kind(&object).ends_with("Role")) {
                assert!(!rule.to_string().contains('*'), "{overlay}: {} {rule}", name(&object));
                let says = |field: &str, value: &str| {
                    rule[field].as_array().is_some_and(|values| values.iter().any(|one| one == value))
                };
                let reads_all = says("verbs", "list") || says("verbs", "watch");
                assert!(!(says("resources", "secrets") && reads_all), "{overlay}: {} {rule}", name(&object));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_our_pods_has_two_replicas_a_budget_probes_limits_and_its_own_account() {
    let objects = objects("base").await;
    let budgets: Vec<&Value> = objects
        .iter()
        .filter(|object| kind(object) == "PodDisruptionBudget")
        .map(|budget| &budget["spec"]["selector"]["matchLabels"])
        .collect();
    let deployments: Vec<_> = objects.iter().filter(|object| kind(object) == "Deployment").collect();
    assert_eq!(deployments.len(), 5);
    for deployment in deployments {
        let (named, spec) = (name(deployment), &deployment["spec"]);
        let pod = &spec["template"]["spec"];
        let container = &pod["containers"][0];
        assert_eq!(spec["replicas"], 2, "{named}");
        assert!(budgets.contains(&&spec["selector"]["matchLabels"]), "{named} has no budget");
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            assert!(container[probe].is_object(), "{named}: {probe}");
        }
        for limit in ["cpu", "memory"] {
            assert!(container["resources"]["limits"][limit].is_string(), "{named}: {limit}");
        }
        assert_eq!(pod["topologySpreadConstraints"].as_array().map(Vec::len), Some(2), "{named}");
        let account = pod["serviceAccountName"] == *named || pod["automountServiceAccountToken"] == false;
        assert!(account, "{named}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_edge_of_the_network_policy_is_open_at_both_ends() {
    let objects = objects("overlays/kind").await;
    let names: Vec<_> = objects.iter().filter(|object| kind(object) == "NetworkPolicy").map(name).collect();
    assert!(names.contains(&"deny-all"), "{names:?}");
    for out in names.iter().filter_map(|name| name.strip_suffix("-out")) {
        assert!(names.contains(&format!("{out}-in").as_str()), "{out} does not arrive");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn production_refuses_the_development_login() {
    let server = Kubernetes::start(Mode::Api).await;
    let objects = objects("overlays/production").await;
    let policy: Vec<_> = objects
        .iter()
        .filter(|object| kind(object).starts_with("ValidatingAdmission") || kind(object) == "Namespace")
        .collect();
    server.apply(&list(&policy)).await;
    let config = |value: &str| {
        let data = serde_json::json!({"EVENTFLOW_AUTH__DEV_LOGIN": value});
        let metadata = serde_json::json!({"name": "eventflow-api-x", "namespace": "eventflow"});
        serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
            .to_string()
    };
    let said = eventflow_e2e::wait::settles(
        "the policy is in force",
        eventflow_e2e::wait::SOON,
        async || {
            let output = server.kubectl(&["apply", "--dry-run=server", "-f", "-"], &config("cluster")).await;
            String::from_utf8_lossy(&output.stderr).into_owned()
        },
        |said| !said.is_empty(),
    )
    .await;
    assert!(said.contains("lets admin/admin log in: remove it"), "{said}");
    let empty = server.kubectl(&["apply", "--dry-run=server", "-f", "-"], &config("")).await;
    assert!(empty.status.success(), "{}", String::from_utf8_lossy(&empty.stderr));
}

/// kustomize reads nothing from outside of its folder.
#[test]
fn the_databases_script_of_the_component_postgres_is_the_one_of_scripts() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).expect("a script");
    let copy = "deploy/kustomize/components/postgres/init-db.sql";
    assert!(read(copy) == read("scripts/init-db.sql"), "cp scripts/init-db.sql {copy}");
}
