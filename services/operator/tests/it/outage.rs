//! The API server goes away and comes back; a view lags behind.

use crate::support::{Room, Running, client};
use eventflow_domain::ports::Clock;
use eventflow_lifecycle::SystemClock;
use eventflow_operator::{
    Config, Context, Declared, Error, Events, Index, Key, Metrics, References, reconcile,
};
use eventflow_testkit::servers::kubernetes::{Kubernetes, Mode, Part};
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use kube::api::ListParams;
use kube::runtime::watcher::Event;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test]
async fn an_operator_heals_by_itself_within_a_minute_after_the_api_server_is_back() {
    let cluster = Box::leak(Box::new(Kubernetes::start(Mode::Api).await));
    let room = Room::of(cluster, "outage").await;
    let operator = Running::start(&room).await;
    room.declare("a", &json!({"image": "a", "port": 80})).await.expect("taken");
    room.until("a", "Ready=Starting").await;
    cluster.keep_down(Part::ApiServer);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(!operator.operator.leadership.may_write(), "it cannot know whether it leads still");
    cluster.let_up(Part::ApiServer);
    let client = client(cluster).await;
    let back =
        crate::support::within(crate::support::PATIENCE, || async { client.apiserver_version().await.ok() });
    assert!(back.await.is_some(), "the API server is back");
    let start = Instant::now();
    let declared = crate::support::within(Duration::from_secs(30), || async {
        room.declare("a", &json!({"image": "b", "port": 80})).await.ok()
    });
    assert!(declared.await.is_some());
    let function = room.until("a", "Ready=Starting").await;
    assert_eq!(function.status.expect("a status").latest_version, Some(2));
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

/// Everything that the room holds, as an index that has just listed it.
async fn listed(room: &Room) -> Arc<Index> {
    let index = Index::new();
    let namespace = &room.namespace;
    index.open(namespace, None);
    for object in room.functions().list(&ListParams::default()).await.expect("a list") {
        index.tell(namespace, Event::InitApply(Declared::from(object)));
    }
    index.tell::<Declared>(namespace, Event::InitDone);
    macro_rules! list {
        ($kind:ty) => {
            for object in room.api::<$kind>().list(&ListParams::default()).await.expect("a list") {
                index.tell(namespace, Event::InitApply(object));
            }
            index.tell::<$kind>(namespace, Event::InitDone);
        };
    }
    list!(ControllerRevision);
    list!(Deployment);
    list!(k8s_openapi::api::core::v1::Service);
    list!(k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler);
    list!(k8s_openapi::api::networking::v1::NetworkPolicy);
    list!(k8s_openapi::api::core::v1::Pod);
    index
}

fn context(room: &Room, index: Arc<Index>) -> Context {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    Context {
        client: room.client.clone(),
        index,
        references: References::default(),
        events: Events::new(room.client.clone(), "test"),
        config: Arc::new(Config::default()),
        metrics: Metrics::default(),
        clock,
    }
}

#[tokio::test]
async fn a_view_that_lags_behind_makes_no_version_and_deletes_nothing() {
    let room = Room::new(Mode::Api).await;
    let key = Key::new(&room.namespace, "a");
    room.declare("a", &json!({"image": "a", "port": 80})).await.expect("taken");
    reconcile(&context(&room, listed(&room).await), &key).await.expect("done");
    // A server that lags: its view has the first declaration; the cluster is two versions on.
    let old = listed(&room).await;
    for image in ["b", "c"] {
        room.declare("a", &json!({"image": image, "port": 80})).await.expect("taken");
        reconcile(&context(&room, listed(&room).await), &key).await.expect("done");
    }
    let revisions = || async {
        room.api::<ControllerRevision>().list(&ListParams::default()).await.expect("a list").items.len()
    };
    assert_eq!(revisions().await, 3);
    let image = |d: &Deployment| {
        serde_json::to_value(d).expect("JSON")["spec"]["template"]["spec"]["containers"][0]["image"].clone()
    };
    // What it knows is whole in itself: nothing differs, nothing is written.
    reconcile(&context(&room, Arc::clone(&old)), &key).await.expect("nothing to do");
    // Now it also learns of one newer thing, and would do something about it.
    for object in room.api::<ControllerRevision>().list(&ListParams::default()).await.expect("a list") {
        old.tell(&room.namespace, Event::Apply(object));
    }
    let lags = reconcile(&context(&room, old), &key).await.expect_err("it lags behind");
    assert!(matches!(lags, Error::Stale(_)), "{lags:?}");
    assert_eq!(revisions().await, 3, "no version of an old declaration");
    assert_eq!(image(&room.api::<Deployment>().get("fn-a").await.expect("there")), "c");
}

#[tokio::test]
async fn a_child_that_changed_since_it_was_seen_is_not_deleted() {
    let room = Room::new(Mode::Api).await;
    let key = Key::new(&room.namespace, "a");
    room.declare("a", &json!({"image": "a", "replicas": 1})).await.expect("taken");
    reconcile(&context(&room, listed(&room).await), &key).await.expect("done");
    room.declare("a", &json!({"image": "a", "replicas": 0})).await.expect("taken");
    let view = listed(&room).await;
    let label = json!({"metadata": {"labels": {"seen": "no"}}});
    let params = kube::api::PatchParams::default();
    room.api::<Deployment>().patch("fn-a", &params, &kube::api::Patch::Merge(&label)).await.expect("changed");
    let refused = reconcile(&context(&room, view), &key).await.expect_err("refused");
    assert!(matches!(refused, Error::Stale(_)), "{refused:?}");
    assert!(room.api::<Deployment>().get_opt("fn-a").await.expect("an answer").is_some());
    reconcile(&context(&room, listed(&room).await), &key).await.expect("done");
    assert!(room.api::<Deployment>().get_opt("fn-a").await.expect("an answer").is_none());
}
