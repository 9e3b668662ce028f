//! From a manifest to what runs, and back to nothing.

use crate::support::{Room, Running, within};
use eventflow_testkit::servers::kubernetes::Mode;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Secret, Service};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) fn smallest() -> Value {
    json!({"image": "nginx:alpine", "replicas": 1, "env": {"ENV": "production"}})
}

fn template(deployment: &Deployment) -> Value {
    serde_json::to_value(deployment).expect("JSON")["spec"]["template"].clone()
}

#[tokio::test]
async fn the_smallest_manifest_is_a_deployment_and_a_service() {
    let room = Room::new(Mode::Api).await;
    let _operator = Running::start(&room).await;
    room.declare("test-func", &smallest()).await.expect("taken");
    let function = room.until("test-func", "Ready=VersionRecorded").await;
    let status = function.status.expect("a status");
    assert_eq!(status.latest_version, Some(1));
    assert_eq!(status.mode.as_deref(), Some("job"));
    assert_eq!(status.selector.as_deref(), Some("eventflow.io/role=warm,function=test-func"));

    let deployment: Deployment = room.wait("fn-test-func", |_| true).await;
    assert_eq!(template(&deployment)["spec"]["containers"][0]["image"], "nginx:alpine");
    assert_eq!(deployment.spec.as_ref().and_then(|spec| spec.replicas), Some(1));
    let service: Service = room.wait("fn-test-func", |_| true).await;
    assert_eq!(service.spec.and_then(|spec| spec.ports).expect("ports")[0].port, 80);
    let _: NetworkPolicy = room.wait("fn-test-func", |_| true).await;
    let revision: ControllerRevision = room.wait("fn-test-func-1", |_| true).await;
    assert_eq!(eventflow_crd::version(&revision).expect("a version").created_by, "kubectl");
    let told = within(Duration::from_secs(20), || async {
        let events = room.api::<Event>().list(&ListParams::default()).await.ok()?;
        events.items.into_iter().find(|event| event.reason.as_deref() == Some("VersionCreated"))
    });
    assert!(told.await.is_some(), "the new version is told as an event");
}

#[tokio::test]
async fn a_change_of_code_is_a_version_and_a_change_of_scale_is_none() {
    let room = Room::new(Mode::Api).await;
    let _operator = Running::start(&room).await;
    room.declare("a", &smallest()).await.expect("taken");
    room.until("a", "Ready=True").await;
    room.declare("a", &json!({"image": "nginx:alpine", "replicas": 2, "env": {"ENV": "production"}}))
        .await
        .expect("taken");
    let function = room.until("a", "Ready=True").await;
    assert_eq!(function.status.expect("a status").latest_version, Some(1));
    let _: Deployment =
        room.wait("fn-a", |d: &Deployment| d.spec.as_ref().and_then(|s| s.replicas) == Some(2)).await;
    room.declare("a", &json!({"image": "nginx:1.29", "replicas": 2, "env": {"ENV": "production"}}))
        .await
        .expect("taken");
    let function = room.until("a", "Ready=True").await;
    assert_eq!(function.status.expect("a status").latest_version, Some(2));
    let deployment: Deployment =
        room.wait("fn-a", |d| template(d)["metadata"]["labels"]["eventflow.io/version"] == "2").await;
    assert_eq!(template(&deployment)["spec"]["containers"][0]["image"], "nginx:1.29");
}

#[tokio::test]
async fn replicas_go_from_the_operator_to_the_scaler_and_back_without_a_fight() {
    let room = Room::new(Mode::Api).await;
    let operator = Running::start(&room).await;
    room.declare("a", &json!({"image": "a", "port": 8080, "scaling": {"min": 2, "max": 9}}))
        .await
        .expect("taken");
    room.until("a", "Ready=Starting").await;
    let api = room.api::<Deployment>();
    let scale = json!({"spec": {"replicas": 7}});
    let params =
        PatchParams { field_manager: Some("eventflow-dispatcher".to_owned()), ..PatchParams::default() };
    api.patch_scale("fn-a", &params, &Patch::Merge(&scale)).await.expect("scaled");
    // The template changes, the number of copies stays the dispatcher's.
    room.declare("a", &json!({"image": "b", "port": 8080, "scaling": {"min": 2, "max": 9}}))
        .await
        .expect("taken");
    let _: Deployment = room.wait("fn-a", |d| template(d)["spec"]["containers"][0]["image"] == "b").await;
    room.until("a", "Ready=Starting").await;
    let found = api.get("fn-a").await.expect("a Deployment");
    assert_eq!(found.spec.and_then(|spec| spec.replicas), Some(7));
    // By CPU: an autoscaler of Kubernetes' own; then a fixed number, which is taken back.
    room.declare("a", &json!({"image": "b", "port": 8080, "scaling": {"min": 2, "max": 9, "cpu": 70}}))
        .await
        .expect("taken");
    let _: HorizontalPodAutoscaler = room.wait("fn-a", |_| true).await;
    room.declare("a", &json!({"image": "b", "port": 8080, "replicas": 3})).await.expect("taken");
    let _: Deployment =
        room.wait("fn-a", |d: &Deployment| d.spec.as_ref().and_then(|s| s.replicas) == Some(3)).await;
    room.wait_gone::<HorizontalPodAutoscaler>("fn-a").await;
    drop(operator);
}

#[tokio::test]
async fn a_missing_secret_is_told_and_a_change_of_it_rolls_the_pods() {
    let room = Room::new(Mode::Api).await;
    let _operator = Running::start(&room).await;
    let spec = json!({"image": "a", "port": 8080, "envFrom": [{"secretRef": {"name": "keys"}}]});
    room.declare("a", &spec).await.expect("taken");
    let function = room.until("a", "Ready=SecretNotFound").await;
    let message = function.status.expect("a status").condition("Ready").expect("Ready").message.clone();
    assert!(message.contains("kubectl create secret generic"), "{message}");
    let secret: Secret =
        serde_json::from_value(json!({"metadata": {"name": "keys"}, "stringData": {"A": "hush-hush"}}))
            .expect("a Secret");
    room.api::<Secret>().create(&PostParams::default(), &secret).await.expect("made");
    // Not told by a watch: it is looked for again within a minute; a change of the function is quicker.
    room.declare("a", &json!({"image": "b", "port": 8080, "envFrom": [{"secretRef": {"name": "keys"}}]}))
        .await
        .expect("taken");
    room.until("a", "Ready=Starting").await;
    let digest =
        |d: &Deployment| template(d)["metadata"]["annotations"]["eventflow.io/config-digest"].clone();
    let deployment: Deployment = room.wait("fn-a", |d| digest(d).is_string()).await;
    let all = serde_json::to_string(&(deployment, room.functions().get("a").await.expect("a function")))
        .expect("JSON");
    assert!(!all.contains("hush-hush"), "no content of a Secret is anywhere else");
}

#[tokio::test]
async fn a_wasm_function_has_no_deployment_and_is_ready_when_a_dispatcher_says_so() {
    let room = Room::new(Mode::Api).await;
    let _operator = Running::start(&room).await;
    let image = format!("artifact@sha256:{}", "ab".repeat(32));
    room.declare("lean", &json!({"runtime": "wasm", "image": image})).await.expect("taken");
    room.until("lean", "Ready=AwaitingReport").await;
    let report = json!({"apiVersion": "eventflow.io/v1alpha1", "kind": "Function",
        "status": {"report": {"version": 1, "ready": true, "reason": "Compiled", "message": "a call starts at once"}}});
    let params = PatchParams::apply("eventflow-dispatcher");
    room.functions().patch_status("lean", &params, &Patch::Apply(&report)).await.expect("reported");
    let function = room.until("lean", "Ready=Compiled").await;
    assert!(function.status.expect("a status").report.is_some(), "the operator leaves the report alone");
    assert!(room.api::<Deployment>().get_opt("fn-lean").await.expect("an answer").is_none());
}

#[tokio::test]
async fn a_paused_function_says_so_and_goes_on_when_it_is_resumed() {
    let room = Room::new(Mode::Api).await;
    let _operator = Running::start(&room).await;
    room.declare("a", &smallest()).await.expect("taken");
    room.until("a", "Ready=True").await;
    let pause = |value: Value| json!({"metadata": {"annotations": {"eventflow.io/paused": value}}});
    let api = room.functions();
    api.patch("a", &PatchParams::default(), &Patch::Merge(&pause(json!("true")))).await.expect("paused");
    room.until("a", "Ready=Paused").await;
    api.patch("a", &PatchParams::default(), &Patch::Merge(&pause(Value::Null))).await.expect("resumed");
    room.until("a", "Ready=VersionRecorded").await;
}

#[tokio::test]
async fn what_is_deleted_while_the_operator_is_away_leaves_nothing_behind() {
    let room = Room::new(Mode::Control).await;
    let operator = Running::start(&room).await;
    room.declare("a", &smallest()).await.expect("taken");
    room.until("a", "Ready=True").await;
    drop(operator);
    room.delete("a").await;
    room.wait_gone::<Deployment>("fn-a").await;
    room.wait_gone::<Service>("fn-a").await;
    room.wait_gone::<NetworkPolicy>("fn-a.job").await;
    room.wait_gone::<ControllerRevision>("fn-a-1").await;
    // Made anew while leftovers may still be there, it is a function of its own.
    room.declare("a", &smallest()).await.expect("taken");
    let _operator = Running::start(&room).await;
    room.until("a", "Ready=True").await;
}
