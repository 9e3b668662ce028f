//! Two operators: one writes.

use crate::support::{Audit, Room, Running, times, within};
use eventflow_operator::{Leadership, NotLeading, gated};
use eventflow_testkit::servers::kubernetes::Mode;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn only_the_leader_writes_and_the_other_follows_when_it_is_gone() {
    let room = Room::new(Mode::Api).await;
    let first = Running::with(&room, "first", Audit::new(None), times()).await;
    room.declare("a", &json!({"image": "a", "port": 80})).await.expect("taken");
    room.until("a", "Ready=Starting").await;
    let second = Running::with(&room, "second", Audit::new(None), times()).await;
    room.declare("a", &json!({"image": "b", "port": 80})).await.expect("taken");
    room.until("a", "Ready=Starting").await;
    assert!(!first.audit.writes().is_empty());
    assert_eq!(second.audit.writes(), Vec::<String>::new());
    drop(first);
    room.declare("a", &json!({"image": "c", "port": 80})).await.expect("taken");
    let function = room.until("a", "Ready=Starting").await;
    assert_eq!(function.status.expect("a status").latest_version, Some(3), "no number is given twice");
    assert!(!second.audit.writes().is_empty());
}

#[tokio::test]
async fn a_leader_that_stood_still_past_its_lease_writes_nothing_more() {
    let room = Room::new(Mode::Api).await;
    let first = Running::with(&room, "first", Audit::new(None), times()).await;
    room.declare("a", &json!({"image": "a", "port": 80})).await.expect("taken");
    room.until("a", "Ready=Starting").await;
    let second = Running::with(&room, "second", Audit::new(None), times()).await;
    first.stand_still(Duration::from_secs(8));
    first.audit.forget();
    room.declare("a", &json!({"image": "b", "port": 80})).await.expect("taken");
    let function = room.until("a", "Ready=Starting").await;
    assert_eq!(function.status.expect("a status").latest_version, Some(2));
    assert!(second.operator.leadership.may_write(), "the second leads");
    // The first goes on where it stood, with a queue and views of its own.
    tokio::time::sleep(Duration::from_secs(9)).await;
    for image in ["c", "d"] {
        room.declare("a", &json!({"image": image, "port": 80})).await.expect("taken");
        room.until("a", "Ready=Starting").await;
    }
    assert_eq!(first.audit.writes(), Vec::<String>::new());
    assert!(!first.operator.leadership.may_write());
}

#[tokio::test]
async fn a_lease_that_is_given_back_need_not_be_waited_for() {
    let room = Room::new(Mode::Api).await;
    let leadership = Leadership::new();
    assert!(!leadership.may_write());
    let election = eventflow_operator::Election::new(
        room.client.clone(),
        &room.namespace,
        "one".to_owned(),
        eventflow_operator::Times { duration: Duration::from_secs(60), ..times() },
        leadership.clone(),
    );
    let stop = eventflow_lifecycle::CancellationToken::new();
    let run = tokio::task::JoinSet::from_iter([election.run(stop.clone())]);
    let led = within(Duration::from_secs(30), || async { leadership.may_write().then_some(()) });
    assert!(led.await.is_some());
    stop.cancel();
    run.join_all().await;
    assert!(!leadership.may_write());
    let next = Running::start(&room).await;
    let led =
        within(Duration::from_secs(20), || async { next.operator.leadership.may_write().then_some(()) });
    assert!(led.await.is_some(), "well before the 60 s of the lease");
}

#[tokio::test]
async fn the_gate_keeps_writes_of_who_does_not_lead_and_lets_reads_pass() {
    let room = Room::new(Mode::Api).await;
    let audit = Audit::new(None);
    let client = audit.wrap(&room.client);
    let behind = gated(&client, &Leadership::new());
    let api: kube::Api<k8s_openapi::api::core::v1::ConfigMap> =
        kube::Api::namespaced(behind, &room.namespace);
    let object: k8s_openapi::api::core::v1::ConfigMap =
        serde_json::from_value(json!({"metadata": {"name": "x"}})).expect("a ConfigMap");
    let refused = api.create(&kube::api::PostParams::default(), &object).await.expect_err("refused");
    let mut cause: &dyn std::error::Error = &refused;
    while let Some(next) = cause.source() {
        cause = next;
    }
    assert!(cause.is::<NotLeading>() || refused.to_string().contains("not the leader"), "{refused:?}");
    assert_eq!(audit.writes(), Vec::<String>::new(), "nothing was sent");
    assert!(api.list(&kube::api::ListParams::default()).await.is_ok());
    // Without the gate it would have been written.
    let open: kube::Api<k8s_openapi::api::core::v1::ConfigMap> =
        kube::Api::namespaced(client, &room.namespace);
    open.create(&kube::api::PostParams::default(), &object).await.expect("written");
    assert_eq!(audit.writes().len(), 1);
}
