//! What the api tells of a function's copies and of what happened to them, as the cluster has it now.

use crate::calls::IMAGE;
use crate::node::{self, POD, kubectl};
use crate::stack::Stack;
use eventflow_e2e::{Rest, wait};
use serde_json::{Value, json};
use std::time::Duration;

/// For what the cluster knows to be shown.
const SHOWN: Duration = Duration::from_secs(30);

async fn declare(namespace: &str, name: &str, spec: Value) {
    let resource = json!({"apiVersion": "eventflow.io/v1alpha1", "kind": "Function", "metadata": {"name": name}, "spec": spec});
    node::apply(namespace, &resource.to_string()).await;
}

async fn read(api: &Rest, namespace: &str, name: &str) -> Value {
    let answer = api.get(&format!("/v1/namespaces/{namespace}/functions/{name}")).await;
    if answer.status == 200 { answer.json() } else { Value::Null }
}

fn copies(function: &Value) -> &[Value] {
    function["copies"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn exit_of<'a>(function: &'a Value, field: &str) -> &'a str {
    copies(function).first().and_then(|copy| copy["lastExit"][field].as_str()).unwrap_or_default()
}

/// The first event of a reason about an object whose kind and name begin so.
fn event<'a>(function: &'a Value, object: &str, reason: &str) -> Option<&'a Value> {
    let events = function["events"].as_array()?;
    let begins = |event: &Value| event["object"].as_str().is_some_and(|name| name.starts_with(object));
    events.iter().find(|event| event["reason"] == reason && begins(event))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_crashes_says_why_and_one_that_cannot_start_too() {
    if !node::here() {
        return;
    }
    let api = Stack::get().await.api().await;
    let namespace = "crashing";
    node::namespace(namespace).await;
    declare(namespace, "fail", json!({"image": IMAGE, "command": ["fail"], "replicas": 1})).await;
    let small = json!({"memory": "32Mi", "cpu": "100m"});
    declare(namespace, "oom", json!({"image": IMAGE, "command": ["oom"], "replicas": 1, "resources": small}))
        .await;
    declare(namespace, "absent", json!({"image": "localhost/nobody-has-this:1", "replicas": 1})).await;

    let fail = async || read(&api, namespace, "fail").await;
    let looped = |found: &Value| {
        let copy = copies(found).first();
        copy.is_some_and(|copy| copy["state"] == "FAILED" && copy["restarts"].as_i64() > Some(0))
            && event(found, "Pod/fn-fail-", "BackOff").is_some()
    };
    let found = wait::settles("the crash loop is shown", POD, fail, looped).await;
    let exit = &copies(&found)[0]["lastExit"];
    assert_eq!((&exit["reason"], &exit["exitCode"]), (&json!("ExitCode"), &json!(42)), "{found:#}");
    let message = exit["message"].as_str().expect("in words");
    assert!(message.contains("exit code 42") && message.contains("fail: the last words"), "{message}");
    assert!(exit["time"].is_string(), "{exit:#}");
    assert_eq!(event(&found, "Pod/fn-fail-", "BackOff").expect("told")["type"], "Warning");
    assert_eq!(event(&found, "Function/fail", "VersionCreated").expect("told")["type"], "Normal");

    let oom = async || read(&api, namespace, "oom").await;
    let found =
        wait::settles("out of memory", POD, oom, |found| exit_of(found, "reason") == "OutOfMemory").await;
    assert_eq!(copies(&found)[0]["lastExit"]["exitCode"], 137, "{found:#}");

    let absent = async || read(&api, namespace, "absent").await;
    let not_pulled = |found: &Value| {
        exit_of(found, "reason") == "ImagePullBackOff" && event(found, "Pod/fn-absent-", "Failed").is_some()
    };
    let found = wait::settles("no image", POD, absent, not_pulled).await;
    assert!(exit_of(&found, "message").contains("nobody-has-this"), "{found:#}");
    assert_eq!(copies(&found)[0]["state"], "FAILED");
    assert!(event(&found, "Pod/fn-fail-", "BackOff").is_none(), "each function has its own: {found:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn healthy_copies_are_ready_and_are_the_pods_that_there_are() {
    if !node::here() {
        return;
    }
    let api = Stack::get().await.api().await;
    let namespace = "healthy";
    node::namespace(namespace).await;
    declare(namespace, "echo", json!({"image": IMAGE, "command": ["echo"], "port": 8080, "replicas": 2}))
        .await;
    let echo = async || read(&api, namespace, "echo").await;
    let ready = |count: usize| {
        move |found: &Value| {
            copies(found).len() == count && copies(found).iter().all(|copy| copy["state"] == "READY")
        }
    };
    let found = wait::settles("two ready copies", POD, echo, ready(2)).await;
    let mut pods: Vec<_> = node::objects(namespace, "pods", "function=echo,eventflow.io/role=warm")
        .await
        .iter()
        .map(|pod| pod["metadata"]["name"].clone())
        .collect();
    pods.sort_by_key(Value::to_string);
    assert_eq!(copies(&found).iter().map(|copy| copy["name"].clone()).collect::<Vec<_>>(), pods);
    for copy in copies(&found) {
        assert!(copy["startTime"].is_string() && copy["lastExit"].is_null(), "{copy:#}");
    }

    let told = |found: &Value| {
        [
            ("Function/echo", "VersionCreated"),
            ("Deployment/fn-echo", "ScalingReplicaSet"),
            ("ReplicaSet/fn-echo-", "SuccessfulCreate"),
            ("Pod/fn-echo-", "Started"),
        ]
        .iter()
        .all(|(object, reason)| event(found, object, reason).is_some_and(|event| event["type"] == "Normal"))
    };
    let found = wait::settles("what happened is told", SHOWN, echo, told).await;
    // Up to the seconds, which all of them have.
    let time = |event: &Value| event["time"].as_str().map(|time| time.chars().take(19).collect::<String>());
    let times: Vec<_> = found["events"].as_array().expect("events").iter().map(time).collect();
    assert!(times.len() <= 50 && times.is_sorted_by(|a, b| a >= b), "newest first: {times:?}");

    kubectl(&["scale", "fn", "echo", "-n", namespace, "--replicas=1"]).await;
    wait::settles("one ready copy", POD, echo, ready(1)).await;
    let listed = api.get(&format!("/v1/namespaces/{namespace}/functions")).await.json();
    assert!(copies(&listed["functions"][0]).is_empty(), "lists do not ask the cluster: {listed:#}");
}
