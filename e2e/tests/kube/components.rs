//! EventFlow's own pods.

use crate::node::{self, POD};
use crate::stack::{self, COMPONENTS, Stack};
use eventflow_e2e::{Rest, wait};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn every_component_is_ready_under_the_restricted_level_and_does_not_restart() {
    if !node::here() {
        return;
    }
    Stack::get().await;
    for (name, selector) in COMPONENTS {
        let ready = async || stack::ready_pods(selector).await.len();
        wait::settles(&format!("two ready replicas of {name}"), POD, ready, |count| *count == 2).await;
        for pod in node::objects(stack::NAMESPACE, "pods", selector).await {
            let state = &pod["status"]["containerStatuses"][0];
            assert_eq!(state["restartCount"], 0, "{} {state:#}", pod["metadata"]["name"]);
        }
    }
    let namespace = node::object("default", "namespace", stack::NAMESPACE).await.expect("the namespace");
    assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_finds_the_apis_and_the_pages_find_the_gateway() {
    if !node::here() {
        return;
    }
    let gateway = Stack::get().await.gateway().await;
    assert_eq!(gateway.get("/v1/functions").await.status, 200);
    let web = Rest::new(&stack::base("app=eventflow-web").await);
    let page = web.get("/").await;
    assert!(page.status == 200 && page.text().contains("EventFlow"), "{page:?}");
    assert_eq!(web.login("admin", "admin").await.get("/v1/functions").await.status, 200);
    let all = async || {
        let gauge = Rest::new(gateway.base()).get("/metrics").await.text();
        let known = gauge.lines().find(|line| line.starts_with("eventflow_gateway_apis_ready"));
        known.unwrap_or_default().to_owned()
    };
    wait::settles("both apis are known by their endpoints", POD, all, |line| line.ends_with(" 2")).await;
}

/// A role that lacks something shows in a log: what was refused is said there.
#[tokio::test(flavor = "multi_thread")]
async fn no_component_is_refused_anything_by_its_role() {
    if !node::here() {
        return;
    }
    let api = Stack::get().await.api().await;
    let namespace = "roles";
    node::namespace(namespace).await;
    let functions = format!("/v1/namespaces/{namespace}/functions");
    let declared = json!({"name": "warm", "image": crate::calls::IMAGE, "command": ["echo"], "port": 8080,
        "scaling": {"min": 1, "max": 2, "cpu": 80}});
    let answer = async || api.post(&functions, &declared).await.status;
    wait::settles("the namespace is seen", POD, answer, |status| *status == 201).await;
    let ready = async || api.get(&format!("{functions}/warm")).await.json()["state"].clone();
    wait::settles("it is ready", POD, ready, |state| state == "READY").await;
    assert!(node::object(namespace, "hpa", "fn-warm").await.is_some(), "scaling.cpu makes an autoscaler");
    for action in ["pause", "resume"] {
        let answer = api.post(&format!("{functions}/warm:{action}"), &json!({})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert!(api.delete(&format!("{functions}/warm")).await.status < 300);
    for (name, selector) in COMPONENTS {
        let said = stack::log(selector).await;
        let refused: Vec<_> = said.lines().filter(|line| line.contains("orbidden")).collect();
        assert!(refused.is_empty(), "{name}: {refused:#?}");
    }
}
