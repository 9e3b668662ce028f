//! Streams that were deleted or edited by hand: seen, said, set right.

use super::support::{client, connect, shared_config, until};
use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::stream::{self, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, Context};
use eventflow_bus::JetStreamBus;
use eventflow_bus::jetstream::Config;
use eventflow_domain::ErrorKind;
use eventflow_domain::ports::Bus;
use eventflow_testkit::contract::bus::messages;
use eventflow_testkit::key;
use std::sync::Arc;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(5);

async fn watched() -> (Config, Arc<JetStreamBus>, Context) {
    let config = Config { check_every: Duration::from_millis(100), ..shared_config().await };
    let bus = connect(&config).await;
    assert!(bus.health().borrow().is_ready());
    let raw = jetstream::new(client(&config).await);
    (config, bus, raw)
}

/// Waits until a drift of this field was found and set right; what it said.
async fn drift(bus: &JetStreamBus, field: &str) -> String {
    let mut health = bus.health();
    let of_field = |health: &eventflow_bus::jetstream::BusHealth| {
        health.is_ready() && health.last_drift.iter().any(|drift| drift.field == field)
    };
    let found = tokio::time::timeout(SOON, health.wait_for(of_field)).await;
    let found = found.expect("it is found and repaired").expect("the bus lives");
    found.last_drift.iter().find(|drift| drift.field == field).expect("of this field").to_string()
}

async fn found(raw: &Context, stream: &str) -> stream::Config {
    raw.get_stream(stream).await.expect("the stream").cached_info().config.clone()
}

#[tokio::test]
async fn the_streams_are_made_as_they_are_documented() {
    let (config, _bus, raw) = watched().await;
    let events = found(&raw, &config.events_stream).await;
    assert_eq!(
        (events.retention, events.discard, events.storage, events.max_consumers, events.duplicate_window),
        (
            RetentionPolicy::WorkQueue,
            DiscardPolicy::New,
            StorageType::File,
            100_000,
            Duration::from_secs(120)
        )
    );
    let prefix = &config.subject_prefix;
    assert_eq!(events.subjects, [format!("{prefix}.events.invoke.*.*"), format!("{prefix}.events.probe")]);
    let functions = found(&raw, &config.function_events_stream).await;
    assert_eq!(
        (functions.retention, functions.max_age),
        (RetentionPolicy::Limits, Duration::from_secs(24 * 3600))
    );
}

#[tokio::test]
async fn an_edited_stream_is_reported_field_by_field_and_set_right() {
    let (config, bus, raw) = watched().await;
    let wanted = found(&raw, &config.events_stream).await;
    let edited = stream::Config {
        discard: DiscardPolicy::Old,
        max_age: Duration::from_secs(600),
        max_messages: 5,
        description: Some("of the operator".to_owned()),
        ..wanted.clone()
    };
    let mut health = bus.health();
    raw.update_stream(edited).await.expect("edited by hand");
    let said = health.wait_for(|health| !health.is_ready()).await.expect("the bus lives").problem.clone();
    let said = said.expect("a problem");
    for part in
        [r#"discard is "old", must be "new""#, "max_age is 600000000000", "max_msgs is 5, must be 1000000"]
    {
        assert!(said.contains(part), "{said}");
    }
    drift(&bus, "discard").await;
    let now = found(&raw, &config.events_stream).await;
    assert_eq!(
        (now.discard, now.max_age, now.max_messages),
        (wanted.discard, wanted.max_age, wanted.max_messages)
    );
    assert_eq!(now.description.as_deref(), Some("of the operator"), "what is not asserted stays");
    assert_eq!(bus.counts().repairs, 1, "making them was no repair");
}

#[tokio::test]
async fn a_deleted_stream_is_made_again_and_work_goes_on() {
    let (config, bus, raw) = watched().await;
    let function = key("f");
    bus.publish(messages(&function, 3)).await.expect("publish");
    let held = bus.fetch(&function, 1).await.expect("fetch");
    raw.delete_stream(&config.events_stream).await.expect("deleted by hand");
    drift(&bus, "stream").await;
    assert_eq!(
        bus.depth(&function).await.expect("depth"),
        Some(0),
        "the record publishes them again, not the bus"
    );
    let sent = messages(&function, 2);
    bus.publish(sent.clone()).await.expect("publish");
    bus.ack(held).await.expect("an ack of the stream that was");
    let mut came = Vec::new();
    until("the new stream is used", SOON, async || {
        came.extend(bus.fetch(&function, 10).await.expect("fetch"));
        came.len() == 2
    })
    .await;
    assert_eq!(came.iter().map(|delivery| delivery.message.clone()).collect::<Vec<_>>(), sent);
    raw.delete_stream(&config.function_events_stream).await.expect("deleted by hand");
    until("the other one is made again", SOON, async || {
        raw.get_stream(&config.function_events_stream).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_publish_finds_a_deleted_stream_before_the_next_check() {
    let config = shared_config().await;
    let bus = connect(&config).await;
    let raw = jetstream::new(client(&config).await);
    raw.delete_stream(&config.events_stream).await.expect("deleted by hand");
    let sent = messages(&key("f"), 2);
    let error = bus.publish(sent.clone()).await.expect_err("there is no stream");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    until("it is made again", SOON, async || bus.publish(sent.clone()).await.is_ok()).await;
    assert_eq!(bus.depth(&key("f")).await.expect("depth"), Some(2));
}

#[tokio::test]
async fn a_consumer_that_is_not_ours_is_removed() {
    let (config, bus, raw) = watched().await;
    let greedy = pull::Config {
        durable_name: Some("greedy".to_owned()),
        ack_policy: AckPolicy::Explicit,
        ..pull::Config::default()
    };
    raw.create_consumer_on_stream(greedy, &config.events_stream).await.expect("made by hand");
    assert!(drift(&bus, "consumer").await.contains("greedy"));
    bus.publish(messages(&key("f"), 1)).await.expect("publish");
    assert_eq!(bus.fetch(&key("f"), 1).await.expect("fetch").len(), 1);
}

#[tokio::test]
async fn what_cannot_be_changed_in_place_is_said_and_keeps_the_bus_not_ready() {
    let (config, bus, raw) = watched().await;
    let mut memory = found(&raw, &config.events_stream).await;
    memory.storage = StorageType::Memory;
    let name = config.events_stream.clone();
    // The bus may make its own one in between.
    until("the wrong one is there", SOON, async || {
        let _gone = raw.delete_stream(&name).await;
        raw.create_stream(memory.clone()).await.is_ok()
    })
    .await;
    let mut health = bus.health();
    let advice = format!("delete stream {name}, it is made again");
    let said = |health: &eventflow_bus::jetstream::BusHealth| {
        health.problem.as_deref().is_some_and(|problem| problem.contains(&advice))
    };
    let said =
        tokio::time::timeout(SOON, health.wait_for(said)).await.expect("it is said").expect("the bus lives");
    assert!(
        said.problem.as_deref().is_some_and(|text| text.contains(r#"storage is "memory", must be "file""#))
    );
    drop(said);
    raw.delete_stream(&name).await.expect("the operator does as told");
    tokio::time::timeout(SOON, health.wait_for(eventflow_bus::jetstream::BusHealth::is_ready))
        .await
        .expect("it is made again")
        .expect("the bus lives");
    assert_eq!(found(&raw, &name).await.storage, StorageType::File);
}

#[tokio::test]
async fn a_full_stream_refuses_is_not_ready_and_recovers() {
    let limits = Config {
        max_bytes: Some(64 << 10),
        check_every: Duration::from_millis(100),
        ..shared_config().await
    };
    let (bus, function) = (connect(&limits).await, key("f"));
    let mut confirmed = 0;
    let error = loop {
        match bus.publish(messages(&function, 20)).await {
            Ok(()) => confirmed += 20,
            Err(error) => break error,
        }
        assert!(confirmed < 1_000, "it never becomes full");
    };
    assert_eq!((error.kind(), error.reason()), (ErrorKind::Unavailable, "BusFull"));
    assert!(error.retry_after().is_some() && error.retryable());
    let refused = bus.probe().await.expect_err("the probe does not fit either");
    assert_eq!(refused.reason(), "BusFull");
    let mut health = bus.health();
    let full = health.wait_for(|health| !health.is_ready()).await.expect("the bus lives").problem.clone();
    assert!(full.expect("a problem").contains("full"));
    let mut came = 0;
    until("nothing that was confirmed is pushed out", SOON, async || {
        let deliveries = bus.fetch(&function, 100).await.expect("fetch");
        came += deliveries.len();
        bus.ack(deliveries).await.expect("ack");
        came >= confirmed
    })
    .await;
    bus.publish(messages(&function, 20)).await.expect("there is room again");
    tokio::time::timeout(SOON, health.wait_for(eventflow_bus::jetstream::BusHealth::is_ready))
        .await
        .expect("ready again")
        .expect("the bus lives");
}
