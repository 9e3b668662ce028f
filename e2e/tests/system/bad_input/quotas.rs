//! More than there is room for (row 27), and a server that goes away (row 28).

use super::{Scene, check, refusal};
use eventflow_e2e::Server;
use eventflow_e2e::support::{shell, shell_with};
use eventflow_e2e::wait::{SOON, settles};
use rustix::process::Signal;
use serde_json::json;

#[tokio::test]
async fn a_full_queue_is_429_with_a_time_to_come_back() {
    let scene = Scene::start().await;
    let rest = &scene.rest;
    rest.apply(&shell_with("slow", "sleep 60", json!({"concurrency": 1, "queue": {"max": 2}}))).await;
    let first = rest.invoke_async("slow", "").await;
    settles(
        "the first to run",
        SOON,
        async || rest.record(&first).await,
        |record| record["state"] == "RUNNING",
    )
    .await;
    let waiting = [rest.invoke_async("slow", "").await, rest.invoke_async("slow", "").await];
    let work = async {
        for query in ["", "?delay=1s"] {
            let answer =
                rest.request("POST", &format!("/v1/functions/slow:invoke{query}")).body("x").send().await;
            check("a full queue", &answer, refusal(429, "QueueFull", &["slow", "2"]));
            let after: u32 = answer.header("retry-after").parse().unwrap_or_else(|_| panic!("{answer:?}"));
            assert!((1..=3600).contains(&after), "{answer:?}");
        }
    };
    scene.unchanged(work).await;
    for id in waiting.iter().chain([&first]) {
        let cancelled = rest.request("POST", &format!("/v1/invocations/{id}:cancel")).send().await;
        assert_eq!(cancelled.status, 200, "{cancelled:?}");
        assert_eq!(rest.ended(id).await["state"], "CANCELLED");
    }
    assert_eq!(
        rest.request("POST", "/v1/functions/slow:invoke").send().await.status,
        202,
        "there is room again"
    );
}

#[tokio::test]
async fn no_slot_for_one_who_waits_is_429() {
    let options = Server::options().set("dispatcher.slots=2").set("dispatcher.max_waiting=0");
    let scene = Scene::of(options.start().await).await;
    let rest = &scene.rest;
    rest.apply(&shell("slow", "sleep 60")).await;
    let running = [rest.invoke_async("slow", "").await, rest.invoke_async("slow", "").await];
    for id in &running {
        settles("both to run", SOON, async || rest.record(id).await, |record| record["state"] == "RUNNING")
            .await;
    }
    let answer = rest.request("POST", "/v1/functions/a:invoke?wait=5s").body("x").send().await;
    assert_eq!(answer.status, 429, "{answer:?}");
    assert_ne!(answer.header("retry-after"), "", "{answer:?}");
    for id in &running {
        assert_eq!(rest.request("POST", &format!("/v1/invocations/{id}:cancel")).send().await.status, 200);
        rest.ended(id).await;
    }
    let fine =
        settles("a slot", SOON, async || rest.invoke("a", "x").await, |answer| answer.status == 200).await;
    assert_eq!(fine.text(), "x");
}

#[tokio::test]
async fn a_server_that_drains_accepts_nothing() {
    let server = Server::options().set("grace=10s").start().await;
    let mut scene = Scene::of(server).await;
    scene.rest.apply(&shell("slow", "sleep 4; echo done")).await;
    let rest = scene.rest.clone();
    let mut running = tokio::task::JoinSet::new();
    running.spawn(async move { rest.invoke("slow", "").await });
    let calls = async || scene.rest.get("/v1/invocations?function=slow&state=RUNNING").await.json();
    settles("a running call", SOON, calls, |list| list["invocations"][0].is_object()).await;
    scene.server.signal(Signal::TERM);
    let mut refused = 0;
    loop {
        // It may refuse by an answer or by no longer listening, but never by a 202 that it forgets.
        match scene.rest.request("POST", "/v1/functions/a:invoke").body("x").try_send().await {
            Ok(answer) if answer.status == 503 => {
                assert_ne!(answer.header("retry-after"), "", "{answer:?}");
                refused += 1;
            }
            Ok(answer) => assert_eq!(answer.status, 202, "{answer:?}"),
            Err(_) => break,
        }
        if refused > 3 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(running.join_next().await.unwrap().unwrap().text(), "done\n", "what ran goes on");
    let ended = scene.server.exited(SOON).await;
    assert!(ended.success(), "{ended}");
    scene.server.restart().await;
    let rest = scene.server.rest().await;
    let accepted = rest.get("/v1/invocations?function=a&pageSize=1000").await.json();
    for call in accepted["invocations"].as_array().unwrap() {
        assert_eq!(rest.ended(call["id"].as_str().unwrap()).await["state"], "SUCCEEDED");
    }
}
