//! Others who write what is the operator's.

use crate::support::{Room, Running};
use eventflow_testkit::servers::kubernetes::Mode;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

fn rival(value: &Value) -> (PatchParams, Patch<Value>) {
    (PatchParams::apply("rival").force(), Patch::Apply(value.clone()))
}

fn deployment(change: Value) -> Value {
    let mut object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "fn-a"}});
    object["spec"] = change;
    object
}

#[tokio::test]
async fn a_field_that_another_keeps_is_a_conflict_with_its_remedy_and_no_fight() {
    let room = Room::new(Mode::Api).await;
    let operator = Running::start(&room).await;
    room.declare("a", &json!({"image": "a", "port": 80})).await.expect("taken");
    room.until("a", "Ready=Starting").await;
    let api = room.api::<Deployment>();
    let (params, patch) = rival(&deployment(json!({"template": {"spec": {"containers": [
        {"name": "function", "image": "rival"}]}}})));
    api.patch("fn-a", &params, &patch).await.expect("taken over");
    let function = room.until("a", "Degraded=Conflict").await;
    let message = function.status.expect("a status").condition("Degraded").expect("Degraded").message.clone();
    assert!(message.contains("rival") && message.contains("kubectl delete"), "{message}");
    operator.audit.forget();
    let start = Instant::now();
    // The rival goes on and on.
    let mut n = 0;
    while start.elapsed() < Duration::from_secs(25) {
        n += 1;
        let (params, patch) = rival(&deployment(json!({"template": {"spec": {"containers": [
            {"name": "function", "image": format!("rival:{n}")}]}}})));
        api.patch("fn-a", &params, &patch).await.expect("taken over");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let tries = operator.audit.writes().iter().filter(|write| write.contains("/deployments/fn-a")).count();
    assert!(tries <= 4, "{tries} tries in 25 s, six a minute are allowed");
    // The remedy that the message names.
    api.delete("fn-a", &DeleteParams::default()).await.expect("deleted");
    room.until_all("a", &["Degraded=Healthy", "Ready=Starting"]).await;
}

#[tokio::test]
async fn labels_of_others_are_left_alone_and_cost_nothing() {
    let room = Room::new(Mode::Api).await;
    let operator = Running::start(&room).await;
    room.declare("a", &json!({"image": "a", "port": 80})).await.expect("taken");
    room.until("a", "Ready=Starting").await;
    operator.audit.forget();
    for n in 0..40 {
        let label = json!({"metadata": {"labels": {"team": format!("t{n}")}}});
        room.api::<Deployment>()
            .patch("fn-a", &PatchParams::default(), &Patch::Merge(&label))
            .await
            .expect("set");
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(operator.audit.writes(), Vec::<String>::new());
    // Ours come back.
    let label = json!({"metadata": {"labels": {"function": "other"}}});
    let params = PatchParams { field_manager: Some("kubectl-label".to_owned()), ..PatchParams::default() };
    room.api::<Deployment>().patch("fn-a", &params, &Patch::Merge(&label)).await.expect("set");
    room.until("a", "Degraded=Conflict").await;
}

#[tokio::test]
async fn an_object_of_somebody_else_is_not_taken() {
    let room = Room::new(Mode::Api).await;
    let service: Service = serde_json::from_value(json!({"metadata": {"name": "fn-a"},
        "spec": {"ports": [{"port": 5432}], "selector": {"app": "db"}}}))
    .expect("a Service");
    room.api::<Service>().create(&PostParams::default(), &service).await.expect("made");
    let _operator = Running::start(&room).await;
    room.declare("a", &json!({"image": "a", "port": 80})).await.expect("taken");
    room.until("a", "Degraded=NameTaken").await;
    let found = room.api::<Service>().get("fn-a").await.expect("still there");
    assert_eq!(found.spec.expect("a spec").selector.expect("a selector")["app"], "db");
    room.api::<Service>().delete("fn-a", &DeleteParams::default()).await.expect("deleted");
    room.until("a", "Degraded=Healthy").await;
}

#[tokio::test]
async fn copies_that_a_person_changed_go_back_to_what_is_declared() {
    let room = Room::new(Mode::Api).await;
    let _operator = Running::start(&room).await;
    room.declare("a", &json!({"image": "a", "replicas": 2})).await.expect("taken");
    room.until("a", "Ready=True").await;
    let scale = json!({"spec": {"replicas": 5}});
    let params = PatchParams { field_manager: Some("kubectl".to_owned()), ..PatchParams::default() };
    room.api::<Deployment>().patch_scale("fn-a", &params, &Patch::Merge(&scale)).await.expect("scaled");
    let _: Deployment =
        room.wait("fn-a", |d: &Deployment| d.spec.as_ref().and_then(|s| s.replicas) == Some(2)).await;
}
