//! Outages of what stands behind a fleet, one at a time, and what people are told meanwhile.

use crate::idempotency::setting;
use async_nats::jetstream::{self, stream::DiscardPolicy};
use eventflow_e2e::Rest;
use eventflow_e2e::fleet::{Fleet, Options};
use eventflow_e2e::shape::only_cluster;
use eventflow_e2e::storm::functions::{ECHO_WAT, ready, wasm};
use eventflow_e2e::storm::readback::{drains, list};
use eventflow_e2e::wait::{settles, until};
use eventflow_testkit::servers::nats::Store;
use futures::{StreamExt as _, stream};
use rustix::process::Signal;
use std::time::Duration;
use tokio::time::Instant;

const HARM: &str = "it harms what stands behind the services";
/// From a repair to the first call that comes through.
const HEALED: Duration = Duration::from_secs(10);
const TOLD: Duration = Duration::from_secs(30);

async fn start(mut options: Options) -> (Fleet, Rest) {
    options.settings.extend(["nats.check_every=3s".to_owned(), "postgres.deadline=6s".to_owned()]);
    let fleet = Fleet::start(options).await;
    let rest = Rest::new(&fleet.urls()[0]).login("admin", "admin").await;
    rest.apply(&wasm(&rest, "echo", ECHO_WAT).await).await;
    ready(&rest, "echo").await;
    (fleet, rest)
}

/// Accepts so many, each tried again where it was refused.
async fn accepted(rest: &Rest, count: usize) -> Vec<String> {
    let one = async |number: usize| {
        until("a call is accepted", Duration::from_secs(60), async || {
            let call = rest.request("POST", "/v1/functions/echo:invoke").body(number.to_string());
            let answer = call.send().await;
            assert!(matches!(answer.status, 202 | 429 | 503), "{answer:?}");
            (answer.status == 202).then(|| answer.json()["id"].as_str().expect("an id").to_owned())
        })
        .await
    };
    stream::iter(0..count).map(one).buffer_unordered(32).collect().await
}

/// A call without a caller that waits: over outbox and broker.
async fn comes_through(rest: &Rest) {
    let begun = Instant::now();
    until("the first success", HEALED, async || {
        let call = rest.request("POST", "/v1/functions/echo:invoke").body("again").try_send();
        let answer = tokio::time::timeout(Duration::from_secs(2), call).await.ok()?.ok()?;
        let id = (answer.status == 202).then(|| answer.json()["id"].as_str().map(str::to_owned))??;
        let record = rest.get(&format!("/v1/invocations/{id}?wait=2s")).await;
        (record.status == 200 && record.json()["state"] == "SUCCEEDED").then_some(())
    })
    .await;
    println!("healed in {:?}", begun.elapsed());
}

async fn none_is_lost(rest: &Rest, count: usize) {
    assert!(drains(rest, Duration::from_secs(150)).await, "some do not end");
    assert_eq!(list(rest, "state=SUCCEEDED").await.len(), count);
}

/// `EVENTFLOW_WIPED_CALLS` (default 500) wait; `make chaos` takes 10,000.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_a_wiped_broker_knew_is_published_again_within_about_a_minute() {
    if !only_cluster(HARM) {
        return;
    }
    let count = setting("EVENTFLOW_WIPED_CALLS", 500);
    let (mut fleet, rest) = start(Options::default()).await;
    for dispatcher in &fleet.dispatchers {
        dispatcher.signal(Signal::STOP);
    }
    assert_eq!(accepted(&rest, count).await.len(), count);
    fleet.nats.restart(Store::Wiped).await;
    for dispatcher in &fleet.dispatchers {
        dispatcher.signal(Signal::CONT);
    }
    let begun = Instant::now();
    none_is_lost(&rest, count).await;
    println!("{count} calls that waited have ended {:?} after the broker lost them", begun.elapsed());
    assert!(fleet.replicas().all(|replica| replica.starts() == 1), "nothing had to be started again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_was_edited_by_hand_is_found_told_and_repaired() {
    if !only_cluster(HARM) {
        return;
    }
    let (fleet, rest) = start(Options::default()).await;
    let client = async_nats::connect(fleet.nats.url()).await.expect("a connection");
    let context = jetstream::new(client);
    let work = async || {
        context.get_stream("EVENTFLOW_EVENTS").await.expect("the stream").cached_info().config.clone()
    };
    let (before, mut edited) = (work().await, work().await);
    (edited.discard, edited.max_messages) = (DiscardPolicy::Old, 3);
    context.update_stream(edited).await.expect("edited");
    accepted(&rest, 50).await;
    let repaired = async || work().await;
    settles("the stream is as it was", TOLD, repaired, |now| {
        (now.discard, now.max_messages) == (before.discard, before.max_messages)
    })
    .await;
    let told = async || {
        fleet.apis.iter().chain(&fleet.dispatchers).any(|it| fleet.log(it.name()).contains("discard"))
    };
    settles("somebody says what was found", TOLD, told, |told| *told).await;
    comes_through(&rest).await;
    assert!(drains(&rest, Duration::from_secs(150)).await, "some do not end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_table_is_locked_health_answers_and_nothing_waits_for_ever() {
    if !only_cluster(HARM) {
        return;
    }
    let (fleet, rest) = start(Options::default()).await;
    let before = accepted(&rest, 10).await;
    let lock = "BEGIN; LOCK TABLE invocations; SELECT pg_sleep(12); COMMIT";
    let locked = fleet.postgres.sql("postgres", lock);
    let asked = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let begun = Instant::now();
        let answer = rest.request("POST", "/v1/functions/echo:invoke").body("locked").send().await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "an answer within the deadline: {:?}",
            begun.elapsed()
        );
        assert_eq!(rest.without_token().get("/healthz").await.status, 200);
        let functions = rest.get("/v1/functions").await;
        assert_eq!(functions.status, 200, "{functions:?}");
    };
    futures::future::join(locked, asked).await;
    comes_through(&rest).await;
    assert!(drains(&rest, Duration::from_secs(60)).await, "some do not end");
    for id in &before {
        assert_eq!(rest.record(id).await["state"], "SUCCEEDED");
    }
}
