//! Several apis, dispatchers and a gateway are one system: what one replica does, the others know.

use eventflow_e2e::ledger::Ledger;
use eventflow_e2e::shape::only_cluster;
use eventflow_e2e::support::{echo, shell, shell_with};
use eventflow_e2e::wait::{SOON, until};
use eventflow_e2e::{Rest, Server};
use futures::StreamExt as _;
use futures::future::join_all;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

async fn logged_in(server: &Server, api: usize) -> Rest {
    server.api(api).login("admin", "admin").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wrote_through_the_gateway_reads_it_at_once_whichever_api_answers() {
    if !only_cluster("it has several apis") {
        return;
    }
    let server = Server::start().await;
    let rest = server.rest().await;
    for round in 1..=10 {
        // A new version each time; the apis take turns.
        let applied = rest.apply(&shell("counted", &format!("echo {round}"))).await;
        assert_eq!(applied["version"], round, "{applied}");
        let called = rest.invoke("counted", "").await;
        assert_eq!(
            (called.text(), called.header("eventflow-version")),
            (format!("{round}\n"), &*round.to_string())
        );
        let shown = rest.get("/v1/functions/counted").await.json();
        assert_eq!(shown["version"], round, "{shown}");
    }
    for round in 0..5 {
        assert_eq!(rest.delete("/v1/functions/counted").await.status, 200, "round {round}");
        assert_eq!(rest.get("/v1/functions/counted").await.status, 404, "round {round}");
        let listed = rest.get("/v1/functions").await.json();
        assert_eq!(listed["functions"].as_array().map_or(0, Vec::len), 0, "{listed}");
        rest.apply(&echo("counted")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_one_api_took_is_waited_for_followed_and_cancelled_at_another() {
    if !only_cluster("it has several apis") {
        return;
    }
    let server = Server::start().await;
    let (one, two) = (logged_in(&server, 0).await, logged_in(&server, 1).await);
    one.apply(&shell("slow", "echo begun; sleep 60")).await;
    one.apply(&shell("short", "echo line; sleep 1; cat")).await;

    let id = one.invoke_async("short", "hi").await;
    let mut lines = two.request("GET", &format!("/v1/invocations/{id}/logs?follow=true")).stream().await;
    let path = format!("/v1/invocations/{id}?wait=30s");
    let waits = two.get(&path);
    let (record, line) = tokio::join!(waits, lines.value());
    assert_eq!(record.json()["state"], "SUCCEEDED", "{record:?}");
    assert_eq!(line.expect("a line")["text"], "line");

    let id = one.invoke_async("slow", "").await;
    let running = async || (two.record(&id).await["state"] == "RUNNING").then_some(());
    until("the call to run", SOON, running).await;
    let (path, cancel) = (format!("/v1/invocations/{id}?wait=30s"), format!("/v1/invocations/{id}:cancel"));
    let (waits, nothing) = (one.get(&path), json!({}));
    let (waited, cancelled) = tokio::join!(waits, two.post(&cancel, &nothing));
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    assert_eq!(waited.json()["state"], "CANCELLED", "{waited:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_declared_at_one_api_is_told_to_who_watches_at_another() {
    if !only_cluster("it has several apis") {
        return;
    }
    let server = Server::start().await;
    let (one, two) = (logged_in(&server, 0).await, logged_in(&server, 1).await);
    let mut watch = two.request("GET", "/v1/functions:watch").stream().await;
    one.apply(&echo("seen")).await;
    let seen = async {
        while let Some(event) = watch.value().await {
            if event["function"]["name"] == "seen" {
                return event;
            }
        }
        panic!("the watch ended");
    };
    let event = tokio::time::timeout(SOON, seen).await.expect("in time");
    assert_eq!(event["type"], "CHANGED", "{event}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retries_that_race_over_two_apis_run_a_keyed_call_once() {
    if !only_cluster("it has several apis") {
        return;
    }
    let server = Server::start().await;
    let apis = [logged_in(&server, 0).await, logged_in(&server, 1).await];
    let ledger = Ledger::new(server.folder().join("ledger"));
    let script = format!("{}; sleep 0.3; cat", ledger.note());
    apis[0].apply(&shell_with("keyed", &script, json!({"concurrency": 50}))).await;
    for wait in ["", "?wait=20s"] {
        let keys: Vec<String> = (0..5).map(|number| format!("key-{number}{wait}")).collect();
        let tries = keys.iter().flat_map(|key| {
            (0..8).map(|number| {
                let api = &apis[number % 2];
                let call = api.request("POST", &format!("/v1/functions/keyed:invoke{wait}"));
                call.header("idempotency-key", key).body(key.clone()).send()
            })
        });
        let answers = join_all(tries).await;
        // In flight: the same 202 of an async call, 409 of a sync one.
        let fine = |status: u16| if wait.is_empty() { status == 202 } else { matches!(status, 200 | 409) };
        assert!(answers.iter().all(|answer| fine(answer.status)), "{answers:?}");
        for key in &keys {
            let again = async || {
                let call = apis[1].request("POST", &format!("/v1/functions/keyed:invoke{wait}"));
                let answer = call.header("idempotency-key", key).body(key.clone()).send().await;
                (answer.status != 409).then_some(answer)
            };
            let answer = until("the answer of the call", SOON, again).await;
            assert!(fine(answer.status), "{answer:?}");
            if wait.is_empty() {
                let id = answer.json()["id"].as_str().expect("an id").to_owned();
                assert_eq!(apis[0].ended(&id).await["state"], "SUCCEEDED");
            }
        }
    }
    let mut starts = BTreeMap::<String, usize>::new();
    for start in ledger.starts().expect("a whole ledger") {
        *starts.entry(start.payload).or_default() += 1;
    }
    assert_eq!(starts.len(), 10, "{starts:?}");
    assert!(starts.values().all(|&count| count == 1), "{starts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_that_is_killed_or_stands_still_is_left_and_the_others_go_on() {
    if !only_cluster("it kills one of several apis") {
        return;
    }
    let server = Server::options().apis(3).start().await;
    let rest = server.rest().await;
    rest.apply(&echo("echo")).await;
    server.signal_one(server.api_number(0), Signal::KILL);
    for number in 0..20 {
        let answer = rest.invoke("echo", number.to_string()).await;
        assert_eq!((answer.status, answer.text()), (200, number.to_string()), "{answer:?}");
    }
    server.signal_one(server.api_number(1), Signal::STOP);
    // Its connection has to fall silent first; a call that was sent there may be lost.
    let answers = async || {
        let call = rest.request("POST", "/v1/functions/echo:invoke?wait=1s").body("on");
        let answer = tokio::time::timeout(Duration::from_secs(3), call.try_send()).await.ok()?.ok()?;
        (answer.status == 200).then_some(())
    };
    until("an answer of the third", Duration::from_secs(30), answers).await;
    for _ in 0..20 {
        until("each call to be answered", Duration::from_secs(15), answers).await;
    }
    assert_eq!(rest.without_token().get("/readyz").await.status, 200, "one api is enough");
    server.signal_one(server.api_number(1), Signal::CONT);
    let back = async || {
        let metrics = rest.without_token().get("/metrics").await.text();
        metrics.lines().any(|line| line == "eventflow_gateway_apis_ready 2").then_some(())
    };
    until("the second to be found again", Duration::from_secs(30), back).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_of_the_broker_sees_what_happens_to_functions() {
    if !only_cluster("it listens at the broker") {
        return;
    }
    let mut server = Server::start().await;
    let url = server.cluster().nats.url();
    let client = async_nats::connect(url).await.expect("a connection");
    let mut events = client.subscribe("function.>").await.expect("a subscription");
    client.flush().await.expect("heard");
    let rest = server.rest().await;
    rest.apply(&echo("told")).await;
    rest.apply(&shell("told", "exec cat -")).await;
    let sync = rest.invoke("told", "hi").await.header("eventflow-invocation-id").to_owned();
    let accepted = rest.invoke_async("told", "hi").await;
    assert_eq!(rest.delete("/v1/functions/told").await.status, 200);
    let mut seen: Vec<(String, Value)> = Vec::new();
    while seen.len() < 5 {
        let message = tokio::time::timeout(SOON, events.next()).await;
        let message = message.unwrap_or_else(|_| panic!("only {seen:#?}")).expect("a message");
        let event: Value = serde_json::from_slice(&message.payload).expect("JSON");
        assert_eq!((&event["specversion"], &event["subject"]), (&json!("1.0"), &json!("default/told")));
        seen.push((message.subject.to_string(), event));
    }
    let of = |what: &str| -> Vec<&Value> {
        let subject = format!("function.{what}.default.told");
        seen.iter().filter(|(found, _)| *found == subject).map(|(_, event)| &event["data"]).collect()
    };
    assert_eq!(of("created")[0]["version"], 1, "{seen:#?}");
    assert_eq!(of("updated")[0]["version"], 2, "{seen:#?}");
    assert_eq!(of("deleted").len(), 1, "{seen:#?}");
    let calls: BTreeMap<_, _> = of("invoked")
        .into_iter()
        .map(|data| (data["invocation"].as_str().expect("an id").to_owned(), data["source"].clone()))
        .collect();
    assert_eq!(calls, BTreeMap::from([(sync, json!("sync")), (accepted, json!("async"))]), "{seen:#?}");
}
