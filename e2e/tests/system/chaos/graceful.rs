//! SIGTERM: what runs is finished, what is accepted is kept, streams end, and the exit code is 0.

use eventflow_e2e::checker::{History, Urls, check};
use eventflow_e2e::ledger::Ledger;
use eventflow_e2e::rest::Stream;
use eventflow_e2e::storm::children::Mark;
use eventflow_e2e::storm::functions::{self, shell};
use eventflow_e2e::storm::load::{Asked, Load, Mix};
use eventflow_e2e::storm::readback::{drained, records};
use eventflow_e2e::storm::tries::Clients;
use eventflow_e2e::wait::{settles, within};
use eventflow_e2e::{Rest, Server};
use futures::future::{join_all, join3};
use rustix::process::Signal;
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Ignores SIGTERM, and so does what it leaves behind.
const STUBBORN: &str = r#"trap "" TERM; setsid sh -c 'trap "" TERM; sleep 600' & sleep 600; sleep 600"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sigterm_under_load_finishes_what_runs_and_loses_nothing() {
    let mark = Mark::new();
    let mut server = mark.on(Server::options()).start().await;
    let ledger = Ledger::new(server.folder().join("ledger"));
    let rest = server.rest().await;
    functions::deploy(&rest, &ledger, &mark).await;
    rest.apply(&shell("long", "sleep 1.5; cat")).await;

    let clients = Clients::new(vec![rest.clone()], vec![server.grpc().await]);
    let load = Load::start(clients, Mix::plain(6), rand::random());
    let streams = [
        rest.request("GET", "/v1/functions/job/logs?follow=true").stream().await,
        rest.request("GET", "/v1/invocations:watch").stream().await,
        rest.request("GET", "/v1/functions:watch").stream().await,
    ];
    let waiting = join_all((0..4).map(|number| rest.invoke("long", format!("waits-{number}"))));
    let stopped = async {
        running(&rest, "long", 4).await;
        sleep(Duration::from_millis(300)).await;
        server.stop().await
    };
    let ended = join_all(streams.map(to_its_end));
    let (answers, status, _) =
        within("the shutdown", Duration::from_secs(60), join3(waiting, stopped, ended)).await;
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!((answer.status, answer.text()), (200, format!("waits-{number}")), "a call was cut off");
    }
    assert_eq!(status.code(), Some(0), "{status:?}");
    mark.nothing_left().await;

    server.restart().await;
    let Asked { requests, surprises, .. } = load.stop().await;
    assert!(surprises.is_empty(), "answers that should not be: {surprises:#?}");
    drained(&rest, Duration::from_secs(60)).await;
    let mut records = records(&rest).await;
    records.retain(|record| record.function != "long");
    let wrong = check(&History {
        programs: &functions::ALL,
        requests: &requests,
        records: &records,
        starts: &ledger.starts().expect("a whole ledger"),
        kills: &[],
        harm: None,
        ended: &[],
        max_lost: 0,
        unwritten: Duration::ZERO,
        urls: Urls::default(),
    });
    assert_eq!(wrong, [""; 0]);
    let lost: Vec<_> = records.iter().filter(|record| record.lost > 0).collect();
    assert!(lost.is_empty(), "these were cut off, although the grace was long enough: {lost:#?}");
}

/// A stream that breaks off fails the test.
async fn to_its_end(mut stream: Stream) {
    assert_eq!(stream.status, 200);
    // Silence is no end: this server is about to stop.
    while stream.chunk().await.is_some() {}
}

async fn running(rest: &Rest, function: &str, count: usize) {
    let path = format!("/v1/invocations?function={function}&state=RUNNING");
    let calls = async || rest.get(&path).await.json()["invocations"].as_array().map_or(0, Vec::len);
    settles("the calls run", Duration::from_secs(20), calls, |found| *found >= count).await;
}

#[tokio::test]
async fn a_second_sigterm_ends_the_server_at_once() {
    let mark = Mark::new();
    let mut server = mark.on(Server::options()).start().await;
    let rest = server.rest().await;
    let mut stubborn = shell("stubborn", STUBBORN);
    stubborn["env"] = mark.env();
    stubborn["timeout"] = json!("10m");
    rest.apply(&stubborn).await;
    let id = rest.invoke_async("stubborn", "x").await;
    running(&rest, "stubborn", 1).await;
    mark.at_least(4).await;

    server.signal(Signal::TERM);
    sleep(Duration::from_millis(700)).await;
    server.signal(Signal::TERM);
    let asked = Instant::now();
    let status = server.exited(Duration::from_secs(10)).await;
    assert!(asked.elapsed() < Duration::from_secs(3), "it took {:?}", asked.elapsed());
    assert_eq!(status.code(), Some(128 + 15), "{status:?}");
    mark.nothing_left().await;

    server.restart().await;
    running(&rest, "stubborn", 1).await;
    let cancelled = rest.post(&format!("/v1/invocations/{id}:cancel"), &json!({})).await;
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    let record = rest.ended(&id).await;
    assert_eq!((&record["state"], &record["lost"]), (&json!("CANCELLED"), &json!(1)), "{record}");
    assert_eq!(record["attempts"][0]["reason"], "Lost", "{record}");
}

#[tokio::test]
async fn what_outlives_the_grace_is_given_back_and_runs_again() {
    let mark = Mark::new();
    let options = Server::options().set("grace=1s").set("process.kill_grace=500ms");
    let mut server = mark.on(options).start().await;
    let rest = server.rest().await;
    // Hangs at its first attempt only.
    let mut once = shell("once", "[ $EVENTFLOW_ATTEMPT -gt 1 ] || sleep 600; cat");
    once["env"] = mark.env();
    once["timeout"] = json!("10m");
    rest.apply(&once).await;
    let id = rest.invoke_async("once", "payload").await;
    running(&rest, "once", 1).await;
    let asked = Instant::now();
    let status = server.stop().await;
    assert_eq!(status.code(), Some(0), "{status:?}");
    assert!(asked.elapsed() < Duration::from_secs(12), "it took {:?}", asked.elapsed());
    mark.nothing_left().await;
    server.restart().await;
    let record = rest.ended(&id).await;
    assert_eq!(
        (&record["state"], &record["resultText"]),
        (&json!("SUCCEEDED"), &json!("payload")),
        "{record}"
    );
    assert_eq!((&record["attempt"], &record["lost"]), (&json!(2), &json!(1)), "{record}");
}

#[tokio::test]
async fn no_process_survives_a_sigkill_of_the_server() {
    let mark = Mark::new();
    let mut server = mark.on(Server::options()).start().await;
    let rest = server.rest().await;
    let mut stubborn = shell("stubborn", STUBBORN);
    let mut warm = shell("warm", STUBBORN);
    warm["mode"] = json!("http");
    warm["port"] = json!(8080);
    for function in [&mut stubborn, &mut warm] {
        function["env"] = mark.env();
        function["timeout"] = json!("10m");
        rest.apply(function).await;
    }
    for number in 0..5 {
        rest.invoke_async("stubborn", format!("{number}")).await;
    }
    // Each is a launcher, a shell, what it waits for, and what it left behind.
    mark.at_least(5 * 4).await;
    server.kill().await;
    mark.nothing_left().await;
}
