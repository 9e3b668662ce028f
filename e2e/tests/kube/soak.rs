//! What takes too long for every run of the tests: `make soak`.

use crate::calls::{IMAGE, ended, function, invoke, logs};
use crate::node::{self, POD, kubectl};
use crate::stack::{self, COMPONENTS, Stack};
use eventflow_e2e::wait;
use serde_json::json;
use std::time::Duration;
use tokio::sync::Mutex;

/// One test replaces the pods that the others talk to: they take turns.
static TURN: Mutex<()> = Mutex::const_new(());

/// Warm copies go after two minutes without a call, `kubernetes.scale_to_zero_after`.
const TO_ZERO: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread")]
async fn replacing_every_pod_of_ours_under_running_jobs_loses_no_call_and_starts_none_twice() {
    if !node::here() {
        return;
    }
    let _turn = TURN.lock().await;
    let namespace = "replaced";
    let api = function(namespace, json!({"image": IMAGE, "command": ["slow"], "timeout": "120s"})).await;
    let mut calls = Vec::new();
    for _ in 0..4 {
        calls.push(invoke(&api, namespace, "slow", "45").await);
    }
    let running = async || node::objects(namespace, "pods", "function=slow").await.len();
    wait::settles("the Jobs run", POD, running, |count| *count == calls.len()).await;
    for (deployment, _) in COMPONENTS.iter().filter(|(name, _)| *name != "eventflow-web") {
        kubectl(&["rollout", "restart", &format!("deployment/{deployment}"), "-n", stack::NAMESPACE]).await;
    }
    for (deployment, _) in COMPONENTS {
        stack::ready(deployment).await;
    }
    let api = Stack::get().await.gateway().await;
    for id in &calls {
        let record = ended(&api, namespace, id).await;
        assert_eq!((&record["state"], &record["attempt"]), (&json!("SUCCEEDED"), &json!(1)), "{record:#}");
        let said = logs(&api, namespace, id).await;
        for line in [0, 22, 44] {
            assert_eq!(said.matches(&format!("slow: line {line}\"")).count(), 1, "line {line} once: {said}");
        }
    }
    assert_eq!(node::objects(namespace, "jobs", "function=slow").await.len(), calls.len());
    let id = invoke(&api, namespace, "slow", "0").await;
    assert_eq!(ended(&api, namespace, &id).await["state"], "SUCCEEDED", "and new ones are taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_warm_copy_goes_after_a_silence_and_the_next_call_starts_one_again() {
    if !node::here() {
        return;
    }
    let _turn = TURN.lock().await;
    let namespace = "to-zero";
    let scaling = json!({"min": 0, "max": 3, "concurrency": 10});
    let spec =
        json!({"image": IMAGE, "command": ["echo"], "port": 8080, "scaling": scaling, "timeout": "30s"});
    let api = function(namespace, spec).await;
    let path = format!("/v1/namespaces/{namespace}/functions/echo:invoke?wait=60s");
    let copies = async || node::objects(namespace, "pods", "function=echo").await.len();
    for _ in 0..2 {
        let answer = api.request("POST", &path).header("content-type", "text/plain").body("x").send().await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "x"), "{answer:?}");
        assert_eq!(copies().await, 1, "one call needs one copy");
        wait::settles("no copy is left", TO_ZERO, copies, |count| *count == 0).await;
    }
}
