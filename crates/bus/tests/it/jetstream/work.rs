//! Work that is long, broken, or of very many functions.

use super::support::{client, connect, shared_config, until};
use async_nats::jetstream;
use eventflow_bus::jetstream::{Config, FunctionEvent};
use eventflow_domain::ports::{Bus, Delivery};
use eventflow_domain::{Epoch, FunctionKey};
use eventflow_testkit::contract::bus::{message, messages};
use eventflow_testkit::{ManualClock, key};
use futures::StreamExt as _;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

async fn fetched(bus: &dyn Bus, function: &FunctionKey, count: usize) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    until("messages come", SOON, async || {
        deliveries.extend(bus.fetch(function, count - deliveries.len()).await.expect("fetch"));
        deliveries.len() == count
    })
    .await;
    deliveries
}

#[tokio::test]
async fn a_run_longer_than_the_ack_wait_is_delivered_once() {
    let ack_wait = Duration::from_millis(600);
    let config = Config { ack_wait, ..shared_config().await };
    let (bus, function) = (connect(&config).await, key("slow"));
    bus.publish(messages(&function, 2)).await.expect("publish");
    let mut held = fetched(&*bus, &function, 2).await;
    let given_back = held.pop().expect("two");
    tokio::time::sleep(ack_wait * 5).await;
    assert_eq!(bus.fetch(&function, 10).await.expect("fetch"), []);
    assert_eq!(bus.depth(&function).await.expect("depth"), Some(2));
    // Whereas one that nobody keeps alive comes again.
    let other = connect(&config).await;
    drop(bus);
    let again = fetched(&*other, &function, 2).await;
    assert!(again.iter().any(|delivery| delivery.message == given_back.message));
    other.ack(again).await.expect("ack");
    assert_eq!(other.depth(&function).await.expect("depth"), Some(0));
}

#[tokio::test]
async fn a_poison_message_is_taken_off_and_its_neighbours_go_on() {
    let config = shared_config().await;
    let (bus, function) = (connect(&config).await, key("f"));
    let raw = jetstream::new(client(&config).await);
    let subject = format!("{}.events.invoke.default.f", config.subject_prefix);
    let sent = messages(&function, 2);
    bus.publish(vec![sent[0].clone()]).await.expect("publish");
    for bad in [&b"\xff\xfe"[..], br#"{"v":9,"new":true}"#, b"", br#"{"v":1,"invocation":"x"}"#] {
        raw.publish(subject.clone(), bad.to_vec().into()).await.expect("send").await.expect("confirmed");
    }
    bus.publish(vec![sent[1].clone()]).await.expect("publish");
    let good = fetched(&*bus, &function, 2).await;
    assert_eq!(good.iter().map(|delivery| delivery.message.clone()).collect::<Vec<_>>(), sent);
    assert_eq!(bus.counts().poison, 4);
    bus.ack(good).await.expect("ack");
    until("the poison is gone", SOON, async || bus.depth(&function).await.expect("depth") == Some(0)).await;
}

#[tokio::test]
async fn the_message_id_makes_a_lost_confirmation_harmless() {
    let config = shared_config().await;
    let (bus, function) = (connect(&config).await, key("f"));
    let sent = message(&function);
    for _ in 0..3 {
        bus.publish(vec![sent.clone()]).await.expect("publish");
    }
    let counts = bus.counts();
    assert_eq!((counts.published, counts.duplicates), (3, 2));
    assert_eq!(fetched(&*bus, &function, 1).await[0].message, sent);
    assert_eq!(sent.epoch, Epoch(0));
}

#[tokio::test]
async fn another_process_hears_of_work_and_takes_over_what_a_dead_one_held() {
    let ack_wait = Duration::from_millis(600);
    let config = Config { ack_wait, reconcile_every: Duration::from_millis(300), ..shared_config().await };
    let (publisher, one, two) = (connect(&config).await, connect(&config).await, connect(&config).await);
    let function = key("f");
    let mut active = two.active();
    publisher.publish(messages(&function, 3)).await.expect("publish");
    let heard = tokio::time::timeout(Duration::from_millis(250), active.next()).await;
    assert_eq!(heard.expect("announced before it is counted"), Some(function.clone()));
    let held = fetched(&*one, &function, 3).await;
    // Its tasks and its connection end; nobody says goodbye.
    drop(one);
    let mut again = Vec::new();
    let takeover = async {
        while again.len() < held.len() {
            assert_eq!(active.next().await, Some(function.clone()));
            again.extend(two.fetch(&function, 10).await.expect("fetch"));
        }
    };
    tokio::time::timeout(ack_wait + Duration::from_secs(2), takeover).await.expect("within ack_wait + 2 s");
    assert!(two.counts().redelivered >= 3);
}

#[tokio::test]
async fn thousands_of_functions_are_served_by_their_own_consumers() {
    const FUNCTIONS: usize = 1_500;
    let config = shared_config().await;
    let bus = connect(&config).await;
    let functions: BTreeSet<FunctionKey> = (0..FUNCTIONS).map(|number| key(&format!("f{number}"))).collect();
    let mut active = bus.active();
    bus.publish(functions.iter().map(message).collect()).await.expect("publish");
    let (mut heard, mut served) = (BTreeSet::new(), 0);
    while served < FUNCTIONS {
        let some: Vec<FunctionKey> =
            tokio::time::timeout(SOON, active.by_ref().take(50).collect()).await.expect("to hear of all");
        let fetches = some.iter().map(|function| bus.fetch(function, 8));
        for deliveries in futures::future::try_join_all(fetches).await.expect("no limit is in the way") {
            served += deliveries.len();
            bus.ack(deliveries).await.expect("ack");
        }
        heard.extend(some);
    }
    assert_eq!((heard, served), (functions, FUNCTIONS));
    let raw = jetstream::new(client(&config).await);
    let stream = raw.get_stream(&config.events_stream).await.expect("the stream");
    assert_eq!(stream.cached_info().state.consumer_count, FUNCTIONS);
}

#[tokio::test]
async fn consumers_of_idle_functions_go_and_come_back() {
    let ack_wait = Duration::from_millis(300);
    let config = Config { ack_wait, inactive_threshold: Duration::from_millis(500), ..shared_config().await };
    let (bus, function) = (connect(&config).await, key("f"));
    assert_eq!(bus.fetch(&function, 1).await.expect("fetch"), []);
    let raw = jetstream::new(client(&config).await);
    until("the consumer is gone", SOON, async || {
        let stream = raw.get_stream(&config.events_stream).await.expect("the stream");
        stream.cached_info().state.consumer_count == 0
    })
    .await;
    bus.publish(messages(&function, 1)).await.expect("publish");
    assert_eq!(fetched(&*bus, &function, 1).await.len(), 1);
}

#[tokio::test]
async fn events_of_functions_can_be_read_by_anyone() {
    let config = shared_config().await;
    let bus = connect(&config).await;
    let events = bus.function_events(Arc::new(ManualClock::default()), "/eventflow/test");
    let function = key("f");
    let all =
        [FunctionEvent::Created, FunctionEvent::Updated, FunctionEvent::Invoked, FunctionEvent::Deleted];
    for (number, what) in all.into_iter().enumerate() {
        events.emit(what, &function, json!({ "number": number }));
    }
    events.close(SOON).await;
    let stream = jetstream::new(client(&config).await).get_stream(&config.function_events_stream).await;
    let stream = stream.expect("the stream");
    let mut types = BTreeSet::new();
    for seq in 1..=4 {
        let message = stream.get_raw_message(seq).await.expect("an event");
        let event: Value = serde_json::from_slice(&message.payload).expect("JSON");
        let token =
            event["type"].as_str().expect("a type").trim_start_matches("io.eventflow.function.").to_owned();
        assert_eq!(message.subject.as_str(), format!("{}.{token}.default.f", config.function_prefix));
        assert_eq!(event["specversion"], "1.0");
        assert_eq!((&event["source"], &event["subject"]), (&json!("/eventflow/test"), &json!("default/f")));
        assert_eq!(event["time"], "2026-01-01T00:00:00.000000Z");
        assert_eq!(event["datacontenttype"], "application/json");
        assert!(event["id"].as_str().is_some_and(|id| id.len() == 36) && event["data"]["number"].is_number());
        types.insert(token);
    }
    assert_eq!(types, ["created", "deleted", "invoked", "updated"].map(str::to_owned).into());
    assert_eq!(bus.counts().events_dropped, 0);
}
