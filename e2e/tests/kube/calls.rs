//! Calls of functions that run as pods: accepted by the api, recorded, run as Jobs or answered by copies.

use crate::node::{self, kubectl};
use crate::stack::{self, Stack};
use bytes::Bytes;
use eventflow_e2e::support::ECHO_WAT;
use eventflow_e2e::{Answer, Rest, wait};
use serde_json::{Value, json};
use std::time::Duration;

/// Functions of shell, see e2e/cluster/samples.
pub(crate) const IMAGE: &str = "localhost/eventflow-functions:1";
/// An attempt from accept to record, on a busy machine.
const CALL: Duration = Duration::from_secs(120);

/// A namespace with one function of the test image, and a client.
pub(crate) async fn function(namespace: &str, spec: Value) -> Rest {
    let api = Stack::get().await.api().await;
    node::namespace(namespace).await;
    let name = spec["command"][0].as_str().expect("a command").to_owned();
    let resource = json!({"apiVersion": "eventflow.io/v1alpha1", "kind": "Function", "metadata": {"name": name}, "spec": spec});
    node::apply(namespace, &resource.to_string()).await;
    let target = format!("functions.eventflow.io/{name}");
    kubectl(&["wait", "--for=condition=Ready", &target, "-n", namespace, "--timeout=120s"]).await;
    api
}

/// The function `mirror` of a namespace: its code runs in the dispatchers, and gives back what it gets.
pub(crate) async fn mirror(api: &Rest, namespace: &str) {
    let code = api.request("POST", &format!("/v1/namespaces/{namespace}/artifacts"));
    let stored = code.header("content-type", "application/octet-stream").body(ECHO_WAT).send().await;
    assert!(stored.status < 300, "{stored:?}");
    let image = format!("artifact@{}", stored.json()["digest"].as_str().expect("a digest"));
    let resource = json!({"apiVersion": "eventflow.io/v1alpha1", "kind": "Function", "metadata": {"name": "mirror"},
        "spec": {"runtime": "wasm", "image": image}});
    node::apply(namespace, &resource.to_string()).await;
    let target = "functions.eventflow.io/mirror";
    kubectl(&["wait", "--for=condition=Ready", target, "-n", namespace, "--timeout=120s"]).await;
}

pub(crate) async fn invoke(api: &Rest, namespace: &str, name: &str, payload: impl Into<Bytes>) -> String {
    let path = format!("/v1/namespaces/{namespace}/functions/{name}:invoke");
    let answer = api.request("POST", &path).header("content-type", "text/plain").body(payload).send().await;
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.json()["id"].as_str().expect("an id").to_owned()
}

pub(crate) async fn ended(api: &Rest, namespace: &str, id: &str) -> Value {
    let path = format!("/v1/namespaces/{namespace}/invocations/{id}");
    let record = async || api.get(&path).await.json();
    let is_over = |record: &Value| {
        ["SUCCEEDED", "FAILED", "CANCELLED"].contains(&record["state"].as_str().unwrap_or_default())
    };
    wait::settles("the call ends", CALL, record, is_over).await
}

async fn result(api: &Rest, namespace: &str, id: &str) -> Answer {
    api.get(&format!("/v1/namespaces/{namespace}/invocations/{id}/result")).await
}

pub(crate) async fn logs(api: &Rest, namespace: &str, id: &str) -> String {
    api.get(&format!("/v1/namespaces/{namespace}/invocations/{id}/logs")).await.text()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_becomes_a_job_and_a_record_with_result_logs_and_exit() {
    if !node::here() {
        return;
    }
    let namespace = "calls";
    let api = function(namespace, json!({"image": IMAGE, "command": ["upper"]})).await;
    let id = invoke(&api, namespace, "upper", "quiet words").await;
    let record = ended(&api, namespace, &id).await;
    assert_eq!(record["state"], "SUCCEEDED", "{record:#}");
    assert_eq!(result(&api, namespace, &id).await.text(), "QUIET WORDS");
    assert!(logs(&api, namespace, &id).await.contains("upper: attempt 1 of upper"));
    assert_eq!(record["attempts"][0]["exitCode"], 0, "{record:#}");
    let jobs = node::objects(namespace, "jobs", "function=upper").await;
    assert_eq!(jobs.len(), 1, "one attempt, one Job");
    let name = jobs[0]["metadata"]["name"].as_str().expect("a name");
    let last: String = id.chars().filter(|c| *c != '-').collect();
    assert_eq!(name, format!("fn-upper-{}-1", &last[last.len() - 12..]));
    let said = stack::log("app=eventflow-dispatcher").await;
    let lines: Vec<_> = said.lines().filter(|line| line.contains(&id)).collect();
    assert_eq!(lines.len(), 1, "the dispatchers say one line of each attempt: {lines:#?}");
    assert!(lines[0].contains("attempt ended") && lines[0].contains("\"state\":\"SUCCEEDED\""), "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_mebibytes_go_into_a_job_and_come_back() {
    if !node::here() {
        return;
    }
    let namespace = "large";
    let spec = json!({"image": IMAGE, "command": ["copy"], "result": "file", "timeout": "60s"});
    let api = function(namespace, spec).await;
    let payload: Bytes =
        (0..20 << 20).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect::<Vec<_>>().into();
    let id = invoke(&api, namespace, "copy", payload.clone()).await;
    let record = ended(&api, namespace, &id).await;
    assert_eq!(record["state"], "SUCCEEDED", "{record:#}\n{}", logs(&api, namespace, &id).await);
    assert!(result(&api, namespace, &id).await.body == payload, "the same bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_job_and_one_out_of_memory_say_why() {
    if !node::here() {
        return;
    }
    let (failing, oom) = ("failing", "out-of-memory");
    let api = function(failing, json!({"image": IMAGE, "command": ["fail"]})).await;
    let resources = json!({"memory": "32Mi", "cpu": "100m"});
    function(oom, json!({"image": IMAGE, "command": ["oom"], "resources": resources})).await;
    let first = invoke(&api, failing, "fail", "").await;
    let second = invoke(&api, oom, "oom", "").await;
    let record = ended(&api, failing, &first).await;
    assert_eq!(
        (&record["state"], &record["attempts"][0]["exitCode"]),
        (&json!("FAILED"), &json!(42)),
        "{record:#}"
    );
    assert!(logs(&api, failing, &first).await.contains("fail: the last words"));
    let record = ended(&api, oom, &second).await;
    assert_eq!(
        (&record["state"], &record["reason"]),
        (&json!("FAILED"), &json!("OutOfMemory")),
        "{record:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_over_its_time_is_ended_with_its_logs_kept() {
    if !node::here() {
        return;
    }
    let namespace = "slow";
    let api = function(namespace, json!({"image": IMAGE, "command": ["slow"], "timeout": "4s"})).await;
    let id = invoke(&api, namespace, "slow", "60").await;
    let record = ended(&api, namespace, &id).await;
    assert_eq!((&record["state"], &record["reason"]), (&json!("FAILED"), &json!("Timeout")), "{record:#}");
    assert!(logs(&api, namespace, &id).await.contains("slow: line 1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_starts_the_first_copy_of_an_http_function() {
    if !node::here() {
        return;
    }
    let namespace = "from-zero";
    let scaling = json!({"min": 0, "max": 2, "concurrency": 10});
    let spec =
        json!({"image": IMAGE, "command": ["echo"], "port": 8080, "scaling": scaling, "timeout": "30s"});
    let api = function(namespace, spec).await;
    assert!(node::objects(namespace, "pods", "function=echo").await.is_empty(), "it begins with none");
    let path = format!("/v1/namespaces/{namespace}/functions/echo:invoke?wait=60s");
    let answer = api.request("POST", &path).header("content-type", "text/plain").body("hello").send().await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello"), "{answer:?}");
    let url = api.request("POST", &format!("/fn/{namespace}/echo/")).body("again").send().await;
    assert_eq!((url.status, url.text().as_str()), (200, "again"), "{url:?}");
    let copies = node::objects(namespace, "pods", "function=echo,eventflow.io/role=warm").await.len();
    assert_eq!(copies, 1, "one copy answers both");
    let large: Bytes = vec![b'x'; 20 << 20].into();
    let id = invoke(&api, namespace, "echo", large.clone()).await;
    let record = ended(&api, namespace, &id).await;
    assert_eq!((&record["state"], &record["start"]), (&json!("SUCCEEDED"), &json!("WARM")), "{record:#}");
    assert!(result(&api, namespace, &id).await.body == large, "20 MiB go through a copy and come back");
    assert!(node::objects(namespace, "jobs", "function=echo").await.is_empty(), "it makes no Job");
}

#[tokio::test(flavor = "multi_thread")]
async fn wasm_runs_in_the_dispatchers_and_its_function_is_ready_by_their_word() {
    if !node::here() {
        return;
    }
    let (api, namespace) = (Stack::get().await.gateway().await, "wasm");
    node::namespace(namespace).await;
    mirror(&api, namespace).await;
    let target = "functions.eventflow.io/mirror";
    let path = format!("/v1/namespaces/{namespace}/functions/mirror:invoke?wait=30s");
    let answer = api.request("POST", &path).header("content-type", "text/plain").body("small").send().await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "small"), "{answer:?}");
    let id = invoke(&api, namespace, "mirror", "later").await;
    let record = ended(&api, namespace, &id).await;
    assert_eq!(record["state"], "SUCCEEDED", "{record:#}");
    assert_eq!(result(&api, namespace, &id).await.text(), "later");
    assert!(
        node::objects(namespace, "pods,jobs,deployments", "function=mirror").await.is_empty(),
        "it has no pod"
    );

    // Code that does not compile is said to be so, by the same way.
    let code = api.request("POST", &format!("/v1/namespaces/{namespace}/artifacts"));
    let stored = code.header("content-type", "application/octet-stream").body("(module").send().await;
    let image = format!("artifact@{}", stored.json()["digest"].as_str().expect("a digest"));
    let change = json!({"spec": {"image": image}}).to_string();
    kubectl(&["patch", "fn", "mirror", "-n", namespace, "--type=merge", "-p", &change]).await;
    kubectl(&["wait", "--for=condition=Ready=false", target, "-n", namespace, "--timeout=120s"]).await;
    let broken = node::object(namespace, "fn", "mirror").await.expect("the function");
    assert_eq!(broken["status"]["latestVersion"], 2);
}
