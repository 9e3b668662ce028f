//! Functions declared by kubectl, and what becomes of them.

use crate::calls::IMAGE;
use crate::node::{self, POD, kubectl, object};
use crate::stack::{Stack, sample};
use eventflow_e2e::{Cli, wait};
use serde_json::Value;
use std::time::Duration;

const MADE: &str = "deployments,services,pods,jobs,controllerrevisions,networkpolicies,replicasets";

async fn wait_ready(namespace: &str, name: &str) {
    let target = format!("functions.eventflow.io/{name}");
    kubectl(&["wait", "--for=condition=Ready", &target, "-n", namespace, "--timeout=120s"]).await;
}

async fn ready_copies(namespace: &str, name: &str) -> i64 {
    let deployment = object(namespace, "deployment", &format!("fn-{name}")).await.unwrap_or_default();
    deployment["status"]["readyReplicas"].as_i64().unwrap_or(0)
}

async fn settles_at(namespace: &str, name: &str, copies: i64) {
    let what = format!("{copies} ready copies of {name}");
    wait::settles(&what, POD, async || ready_copies(namespace, name).await, |found| *found == copies).await;
}

fn environment(deployment: &Value) -> Vec<(String, String)> {
    let variables = deployment["spec"]["template"]["spec"]["containers"][0]["env"].as_array();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    variables.into_iter().flatten().map(|one| (text(&one["name"]), text(&one["value"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_smallest_manifest_becomes_a_deployment_and_a_service_and_goes_without_a_trace() {
    if !node::here() {
        return;
    }
    Stack::get().await;
    let namespace = "smallest";
    node::namespace(namespace).await;
    node::apply(namespace, &sample("test-func.yaml")).await;
    wait_ready(namespace, "test-func").await;
    settles_at(namespace, "test-func", 1).await;

    let service = object(namespace, "service", "fn-test-func").await.expect("the Service");
    assert_eq!(service["spec"]["ports"][0]["port"], 80);
    assert_eq!(service["spec"]["selector"]["function"], "test-func");
    let deployment = object(namespace, "deployment", "fn-test-func").await.expect("the Deployment");
    let variable = |value: &str| ("ENVIRONMENT".to_owned(), value.to_owned());
    assert!(environment(&deployment).contains(&variable("production")), "{deployment:#}");
    let pods = node::objects(namespace, "pods", "function=test-func,eventflow.io/role=warm").await;
    let address = pods[0]["status"]["podIP"].as_str().expect("an address");
    let page = eventflow_e2e::Rest::new(&format!("http://{address}")).get("/").await;
    assert!(page.text().contains("Welcome to nginx"), "{page:?}");

    let change = r#"{"spec": {"env": {"ENVIRONMENT": "staging"}}}"#;
    kubectl(&["patch", "fn", "test-func", "-n", namespace, "--type=merge", "-p", change]).await;
    let changed = async || object(namespace, "deployment", "fn-test-func").await.as_ref().map(environment);
    let is_changed =
        |found: &Option<Vec<_>>| found.as_ref().is_some_and(|all| all.contains(&variable("staging")));
    wait::settles("the change arrives", POD, changed, is_changed).await;
    let version = async || {
        object(namespace, "fn", "test-func").await.unwrap_or_default()["status"]["latestVersion"].clone()
    };
    wait::settles("the second version", POD, version, |found| *found == 2).await;

    kubectl(&["scale", "fn", "test-func", "-n", namespace, "--replicas=2"]).await;
    settles_at(namespace, "test-func", 2).await;
    kubectl(&["delete", "fn", "test-func", "-n", namespace, "--timeout=60s"]).await;
    node::gone(namespace, MADE, "function=test-func").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_declares_kubectl_sees_and_the_other_way_round() {
    if !node::here() {
        return;
    }
    let stack = Stack::get().await;
    let namespace = "both-ways";
    node::namespace(namespace).await;
    let api = stack.api().await;
    let functions = format!("/v1/namespaces/{namespace}/functions");

    let declared = serde_json::json!({"name": "by-api", "image": "nginx:alpine", "replicas": 0, "podSecurity": "baseline"});
    let answer = wait::settles(
        "the namespace is seen",
        POD,
        async || api.post(&functions, &declared).await,
        |answer| answer.status < 300,
    );
    assert_eq!(answer.await.status, 201);
    let seen = object(namespace, "fn", "by-api").await.expect("the custom resource");
    assert_eq!(seen["spec"]["image"], "nginx:alpine");
    wait_ready(namespace, "by-api").await;

    node::apply(namespace, &sample("test-func.yaml")).await;
    wait_ready(namespace, "test-func").await;
    let read = async || api.get(&format!("{functions}/test-func")).await;
    let read =
        wait::settles("the api sees it", Duration::from_secs(30), read, |answer| answer.status == 200).await;
    assert_eq!(read.json()["image"], "nginx:alpine", "{read:?}");
    let names: Vec<_> = api.get(&functions).await.json()["functions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["name"].as_str().expect("a name").to_owned())
        .collect();
    assert_eq!(names, ["by-api", "test-func"]);

    assert!(api.delete(&format!("{functions}/test-func")).await.status < 300);
    node::gone(namespace, MADE, "function=test-func").await;
    assert_eq!(object(namespace, "fn", "test-func").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declaration_that_cannot_be_is_refused_with_the_fix() {
    if !node::here() {
        return;
    }
    Stack::get().await;
    let namespace = "refused";
    node::namespace(namespace).await;
    let both = "{apiVersion: eventflow.io/v1alpha1, kind: Function, metadata: {name: both},
        spec: {image: x, replicas: 1, scaling: {min: 0, max: 2}}}";
    let output = node::run(&["apply", "-n", namespace, "-f", "-"], both).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("replicas") && said.contains("scaling"), "{said}");

    // What the schema cannot say, the operator's webhook does, once the API server trusts it.
    let days = "{apiVersion: eventflow.io/v1alpha1, kind: Function, metadata: {name: days},
        spec: {image: x, timeout: 2d}}";
    let apply = async || {
        let output = node::run(&["apply", "--dry-run=server", "-n", namespace, "-f", "-"], days).await;
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = wait::settles("the webhook answers", POD, apply, |said| said.contains("denied the request"));
    let said = said.await;
    assert!(said.contains("spec.timeout"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_does_in_a_cluster_what_it_does_on_ones_own_machine() {
    if !node::here() {
        return;
    }
    let stack = Stack::get().await;
    let namespace = "by-cli";
    node::namespace(namespace).await;
    let cli = Cli::new(stack.gateway().await.base());
    cli.ok(&["login"]).await;
    let manifest = |args: &str| {
        format!(
            "{{apiVersion: eventflow.io/v1alpha1, kind: Function, metadata: {{name: upper}},
              spec: {{image: '{IMAGE}', command: [{args}], timeout: 30s}}}}"
        )
    };
    cli.write("upper.yaml", manifest("upper"));
    let apply = async || cli.run(&["apply", "-f", "upper.yaml", "-n", namespace]).await;
    let said = wait::settles("the namespace is seen", POD, apply, |ended| ended.code == 0).await;
    assert!(said.stdout.contains("created, version 1"), "{said:#?}");
    let seen = object(namespace, "fn", "upper").await.expect("the custom resource");
    assert_eq!(seen["metadata"]["annotations"]["eventflow.io/applied-by"], "admin");

    let answer = cli.ok(&["invoke", "upper", "-n", namespace, "--data", "spoken", "--wait", "50s"]).await;
    assert_eq!(answer, "SPOKEN");
    cli.write("upper.yaml", manifest("upper, x"));
    let said = cli.ok(&["apply", "-f", "upper.yaml", "-n", namespace]).await;
    assert!(said.contains("version 2"), "{said}");
    cli.ok(&["rollback", "upper", "--to", "1", "-n", namespace]).await;
    let rolled = object(namespace, "fn", "upper").await.expect("the custom resource");
    assert_eq!(
        (&rolled["spec"]["command"], &rolled["status"]["latestVersion"]),
        (&serde_json::json!(["upper"]), &serde_json::json!(3))
    );
    cli.ok(&["delete", "upper", "-n", namespace]).await;
    node::gone(namespace, MADE, "function=upper").await;

    // Made anew, it goes on numbering: records name its earlier versions.
    let said = cli.ok(&["apply", "-f", "upper.yaml", "-n", namespace]).await;
    assert!(said.contains("version 4"), "{said}");
    let anew = object(namespace, "fn", "upper").await.expect("the custom resource");
    assert_eq!(anew["metadata"]["annotations"]["eventflow.io/last-version"], "3");
}
