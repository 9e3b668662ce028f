//! Objects that cannot be read, or break the rules: they were stored before those, or past the webhook.

use crate::support::{Room, Running};
use eventflow_testkit::servers::kubernetes::Mode;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn an_object_that_breaks_the_rules_says_which_and_the_others_go_on() {
    let room = Room::new(Mode::Api).await;
    let _operator = Running::start(&room).await;
    // CEL does not know days, nor two fields of two sections.
    room.declare("bad", &json!({"image": "a", "timeout": "2d"})).await.expect("taken");
    let function = room.until("bad", "Ready=InvalidSpec").await;
    let message = function.status.expect("a status").condition("Ready").expect("Ready").message.clone();
    assert!(message.contains("spec.timeout") && message.contains("kubectl apply"), "{message}");
    room.declare("good", &json!({"image": "a"})).await.expect("taken");
    room.until("good", "Ready=True").await;
    room.declare("bad", &json!({"image": "a", "timeout": "20s"})).await.expect("taken");
    room.until("bad", "Ready=True").await;
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_told_and_does_not_stop_the_watch() {
    // A cluster of its own: the definition is loosened in it.
    let cluster =
        Box::leak(Box::new(eventflow_testkit::servers::kubernetes::Kubernetes::start(Mode::Api).await));
    let room = Room::of(cluster, "stored").await;
    let definitions: Api<CustomResourceDefinition> = Api::all(room.client.clone());
    let strict = definitions.get("functions.eventflow.io").await.expect("the definition");
    let mut loose = serde_json::to_value(&strict).expect("JSON");
    loose["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] =
        json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    loose["metadata"]["managedFields"] = json!(null);
    let loose: CustomResourceDefinition = serde_json::from_value(loose).expect("a definition");
    definitions
        .replace("functions.eventflow.io", &kube::api::PostParams::default(), &loose)
        .await
        .expect("loosened");
    let resource = ApiResource::erase::<eventflow_crd::Function>(&());
    let raw: Api<DynamicObject> = Api::namespaced_with(room.client.clone(), &room.namespace, &resource);
    let object = json!({"apiVersion": "eventflow.io/v1alpha1", "kind": "Function", "metadata": {"name": "bad"},
        "spec": {"image": {"not": "text"}}});
    let mut stored = false;
    for _ in 0..50 {
        stored =
            raw.patch("bad", &PatchParams::apply("kubectl").force(), &Patch::Apply(&object)).await.is_ok();
        if stored {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(stored, "the loosened definition takes it");
    let _operator = Running::start(&room).await;
    room.declare("good", &json!({"image": "a"})).await.expect("taken");
    room.until("good", "Ready=True").await;
    let told = crate::support::within(crate::support::PATIENCE, || async {
        let found = raw.get("bad").await.ok()?;
        let reason = found.data.pointer("/status/conditions/0/reason").and_then(|reason| reason.as_str());
        (reason == Some("InvalidSpec")).then_some(())
    });
    assert!(told.await.is_some(), "Ready=False InvalidSpec");
}
