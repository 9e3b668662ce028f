//! What a page about functions and calls is made of: figures that go on, counts before bulk acts, groups, filters.

use eventflow_e2e::shape::Shape;
use eventflow_e2e::support::{echo, shell, shell_with};
use eventflow_e2e::wait::SOON;
use eventflow_e2e::{Rest, Server};
use serde_json::{Value, json};
use tokio::time::timeout;

fn sum(list: &Value) -> u64 {
    list.as_array().map_or(0, |list| list.iter().map(|n| n.as_u64().expect("a number")).sum())
}

/// The next figures of this function that satisfy; heartbeats and others are passed over.
async fn told(
    stream: &mut eventflow_e2e::rest::Stream,
    name: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Value {
    let found = async {
        loop {
            let event = stream.value().await.expect("the stream goes on");
            let functions = event["functions"].as_array().cloned().unwrap_or_default();
            if let Some(found) = functions.into_iter().find(|of| of["name"] == name && wanted(of)) {
                return found;
            }
        }
    };
    timeout(SOON, found).await.expect("figures")
}

#[tokio::test]
async fn figures_of_all_functions_go_on_in_one_stream() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&echo("a")).await;
    rest.apply(&shell("bad", "exit 3")).await;
    let mut stream = rest.request("GET", "/v1/functions:watchStats").stream().await;
    assert_eq!(stream.status, 200);
    let first = told(&mut stream, "a", |_| true).await;
    assert_eq!((sum(&first["callsPerMinute"]), first["callsPerMinute"].as_array().unwrap().len()), (0, 30));
    for _ in 0..3 {
        assert_eq!(rest.invoke("a", "x").await.status, 200);
    }
    let failed = rest.invoke_async("bad", "").await;
    rest.ended(&failed).await;
    let good = told(&mut stream, "a", |of| sum(&of["callsPerMinute"]) == 3).await;
    let stats = &good["stats"];
    assert_eq!(
        (&stats["calls"], &stats["failed"], &stats["window"]),
        (&json!("3"), &json!("0"), &json!("300s"))
    );
    for key in ["p50", "p99", "lastCallTime"] {
        assert!(stats[key].is_string(), "{key} of {good}");
    }
    // What was told of it may have come before: a new watch begins with the figures as they are.
    let mut stream = rest.request("GET", "/v1/functions:watchStats").stream().await;
    let bad = told(&mut stream, "bad", |of| of["stats"]["deadLetters"] == "1").await;
    assert_eq!((sum(&bad["failedPerMinute"]), &bad["stats"]["failed"]), (1, &json!("1")));

    let mut one = rest.request("GET", "/v1/functions:watchStats?function=bad").stream().await;
    let only = one.value().await.expect("figures");
    assert_eq!(only["functions"].as_array().unwrap().len(), 1, "{only}");
    assert_eq!(one.value().await.expect("an event")["type"], "SYNCED");
    assert_eq!(rest.get("/v1/functions:watchStats?function=none").await.status, 404);
    assert_eq!(rest.get("/v1/namespaces/-/functions:watchStats?function=a").await.status, 400);
}

#[tokio::test]
async fn calls_over_time_are_counted_in_steps() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&echo("a")).await;
    for _ in 0..2 {
        rest.invoke("a", "x").await;
    }
    let id = rest.invoke_async("a", "x").await;
    rest.ended(&id).await;
    let seen = async {
        loop {
            let answer = rest.get("/v1/functions/a/metrics?window=5m&step=10s").await.json();
            let points = answer["points"].as_array().expect("points").clone();
            let calls: u64 =
                points.iter().map(|p| p["calls"].as_str().unwrap().parse::<u64>().unwrap()).sum();
            // Records of sync calls are written shortly after the answer.
            if calls == 3 {
                return (answer, points);
            }
        }
    };
    let (answer, points) = timeout(SOON, seen).await.expect("three calls");
    assert_eq!((points.len(), &answer["step"]), (31, &json!("10s")), "{answer}");
    assert!(points.iter().any(|point| point["p50"].is_string() && point["cold"] != "0"), "{answer}");
    assert!(answer.get("countedFromTime").is_none());
    for (query, field) in [("window=1s", "window"), ("window=8d", "window"), ("window=1h&step=1s", "step")] {
        let refused = rest.get(&format!("/v1/functions/a/metrics?{query}")).await;
        assert_eq!((refused.status, &refused.json()["errors"][0]["field"]), (400, &json!(field)), "{query}");
    }
    assert_eq!(rest.get("/v1/functions/none/metrics").await.status, 404);
}

async fn dead(rest: &Rest, name: &str) -> String {
    let id = rest.invoke_async(name, "work").await;
    assert_eq!(rest.ended(&id).await["deadLetter"], true);
    id
}

#[tokio::test]
async fn dead_letters_are_told_in_groups_and_counted_before_they_are_redriven() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&shell("a", "exit 3")).await;
    rest.apply(&shell_with("b", "sleep 30", json!({"timeout": "1s"}))).await;
    let (first, second) = (dead(&rest, "a").await, dead(&rest, "a").await);
    dead(&rest, "b").await;
    let groups = rest.get("/v1/invocations:deadLetterGroups").await.json();
    let of = |n: usize, key: &str| groups["groups"][n][key].clone();
    assert_eq!(
        (of(0, "function"), of(0, "reason"), of(0, "count")),
        (json!("a"), json!("ExitCode"), json!("2"))
    );
    assert_eq!(
        (of(1, "function"), of(1, "reason"), of(1, "count")),
        (json!("b"), json!("Timeout"), json!("1"))
    );
    assert_eq!((of(0, "sampleId"), of(0, "namespace")), (json!(second), json!("default")));
    assert!(of(0, "sampleMessage").as_str().unwrap().contains('3'), "{groups}");
    assert!(of(0, "oldestTime").as_str() < of(0, "newestTime").as_str(), "{groups}");
    let one = rest.get("/v1/invocations:deadLetterGroups?function=b&reason=Timeout").await.json();
    assert_eq!(one["groups"].as_array().unwrap().len(), 1);
    assert_eq!(rest.get("/v1/invocations:deadLetterGroups?reason=Sunspots").await.status, 400);

    let of_a = json!({"filter": {"function": "a"}, "dryRun": true});
    assert_eq!(rest.post("/v1/invocations:redrive", &of_a).await.json()["count"], "2");
    let ticked = json!({"filter": {"ids": [first]}, "dryRun": true});
    assert_eq!(rest.post("/v1/invocations:redrive", &ticked).await.json()["count"], "1");
    assert_eq!(
        rest.get("/v1/invocations?deadLetter=true").await.json()["invocations"].as_array().unwrap().len(),
        3
    );
    let gone = rest.post("/v1/invocations:discard", &json!({"filter": {"ids": [first]}})).await.json();
    assert_eq!(gone["count"], "1");
    assert_eq!(
        rest.get("/v1/invocations:deadLetterGroups?function=a").await.json()["groups"][0]["count"],
        "1"
    );
    let nonsense = rest.post("/v1/invocations:discard", &json!({"filter": {"ids": ["x"]}})).await;
    assert_eq!((nonsense.status, &nonsense.json()["errors"][0]["field"]), (400, &json!("ids")));
}

#[tokio::test]
async fn ended_calls_are_replayed_by_filter_at_a_rate() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&echo("a")).await;
    for n in 0..3 {
        let id = rest.invoke_async("a", format!("{n}")).await;
        rest.ended(&id).await;
    }
    let count = json!({"filter": {"function": "a", "state": ["SUCCEEDED"]}, "dryRun": true});
    assert_eq!(rest.post("/v1/invocations:replay", &count).await.json()["count"], "3");
    let replay = json!({"filter": {"function": "a"}, "rate": 2});
    let replayed = rest.post("/v1/invocations:replay", &replay).await.json();
    assert_eq!((&replayed["count"], &replayed["more"]), (&json!("3"), &json!(false)), "{replayed}");
    assert!(replayed["oldestTime"].is_string());
    let mut results = Vec::new();
    for id in replayed["ids"].as_array().unwrap() {
        let record = rest.ended(id.as_str().unwrap()).await;
        assert_eq!((&record["source"], &record["state"]), (&json!("REPLAY"), &json!("SUCCEEDED")));
        let wait = record["queueWait"].as_str().unwrap().trim_end_matches('s').parse::<f64>().unwrap();
        results.push((wait, record["resultText"].clone()));
    }
    // The newest first, half a second apart.
    assert_eq!(results.iter().map(|of| of.1.as_str().unwrap()).collect::<Vec<_>>(), ["2", "1", "0"]);
    assert!(results[1].0 >= 0.5 && results[2].0 >= 1.0, "{results:?}");
    let ended = json!({"filter": {"function": "a", "state": ["QUEUED"]}, "dryRun": true});
    let counted = rest.post("/v1/invocations:replay", &ended).await.json();
    assert_eq!(counted["count"], "6", "only ended ones are replayed");
    assert_eq!(rest.post("/v1/invocations:replay", &json!({"rate": -1})).await.status, 400);
}

#[tokio::test]
async fn a_watch_follows_one_call_or_those_that_a_filter_holds() {
    let server = Server::start().await;
    let rest = server.rest().await;
    let gate = server.folder().join("go");
    rest.apply(&shell("a", &format!("while [ ! -e {} ]; do sleep 0.02; done", gate.display()))).await;
    rest.apply(&echo("b")).await;
    let mut running = rest.request("GET", "/v1/invocations:watch?filter.state=RUNNING").stream().await;
    assert_eq!(running.value().await.expect("an event")["type"], "SYNCED");
    let id = rest.invoke_async("a", "").await;
    let mut one = rest.request("GET", &format!("/v1/invocations:watch?id={id}")).stream().await;
    let seen = async {
        loop {
            let event = running.value().await.expect("the stream goes on");
            if event["invocation"]["id"] == *id && event["invocation"]["state"] == "RUNNING" {
                return;
            }
        }
    };
    timeout(SOON, seen).await.expect("it runs");
    let other = rest.invoke_async("b", "").await;
    rest.ended(&other).await;
    std::fs::write(&gate, "").unwrap();
    let left = timeout(SOON, async {
        loop {
            let event = running.value().await.expect("the stream goes on");
            if event["invocation"]["id"] == *id {
                return event["invocation"]["state"].clone();
            }
        }
    });
    assert_eq!(left.await.expect("it leaves the filter"), "SUCCEEDED");
    let mut states = Vec::new();
    while let Some(event) = timeout(SOON, one.value()).await.expect("the stream ends with the call") {
        if event["type"] == "CHANGED" {
            assert_eq!(event["invocation"]["id"], *id);
            states.push(event["invocation"]["state"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(states.last().map(String::as_str), Some("SUCCEEDED"), "{states:?}");
    let listed = rest.get("/v1/invocations?function=a").await.json();
    assert_eq!(listed["invocations"][0]["start"], "COLD", "cold or warm is in the rows");
    for query in ["id=x", "id=0192f0a0-0000-7000-8000-000000000000&function=a", "filter.state=SUNNY"] {
        assert_eq!(rest.get(&format!("/v1/invocations:watch?{query}")).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn lines_of_a_whole_namespace_are_searched_and_followed() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&shell("a", "echo plain; echo an ERROR here >&2")).await;
    let id = rest.invoke_async("a", "").await;
    rest.ended(&id).await;
    let lines = async |query: &str| -> Vec<(String, String)> {
        let text = rest.get(&format!("/v1/functions/{query}")).await.text();
        let values = text
            .lines()
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        values
            .map(|v| (v["function"].as_str().unwrap().to_owned(), v["text"].as_str().unwrap().to_owned()))
            .collect()
    };
    let line = |function: &str, text: &str| (function.to_owned(), text.to_owned());
    assert_eq!(lines("a/logs?contains=error").await, [line("a", "an ERROR here")]);
    assert_eq!(lines("a/logs?stream=STDOUT").await, [line("a", "plain")]);
    assert_eq!(lines("a/logs?stream=STDOUT&contains=error").await, []);
    let mut all = rest.request("GET", "/v1/functions/-/logs?follow&contains=o").stream().await;
    assert_eq!(all.value().await.expect("a line")["text"], "an ERROR here");
    // A function that comes later is followed too.
    rest.apply(&shell("b", "echo no match in this; echo hello from b")).await;
    let told = async {
        loop {
            rest.ended(&rest.invoke_async("b", "").await).await;
            while let Ok(line) = timeout(std::time::Duration::from_secs(1), all.value()).await {
                let line = line.expect("the stream goes on");
                if line["function"] == "b" {
                    return line["text"].clone();
                }
            }
        }
    };
    assert_eq!(timeout(SOON, told).await.expect("a line of b"), "no match in this");
    assert_eq!(rest.get(&format!("/v1/functions/a/logs?contains={}", "x".repeat(257))).await.status, 400);
}

#[tokio::test]
async fn a_client_learns_what_the_installation_is() {
    let server = Server::start().await;
    let rest = server.rest().await;
    let info = rest.get("/v1/server").await.json();
    let shape = if Shape::wanted() == Shape::Local { "local" } else { "cluster" };
    assert_eq!((&info["shape"], &info["payloadLimit"]), (&json!(shape), &json!("67108864")), "{info}");
    assert!(info["version"].as_str().is_some_and(|version| version.split('.').count() == 3));
    assert!(info["runtimes"].as_array().unwrap().contains(&json!("WASM")), "{info}");
    assert_eq!(rest.without_token().get("/v1/server").await.status, 401);
    assert_eq!(rest.get("/v1/namespaces").await.json(), json!({"namespaces": ["default"]}));
    assert_eq!(rest.post("/v1/namespaces/media/functions", &echo("a")).await.status, 201);
    assert_eq!(rest.get("/v1/namespaces").await.json(), json!({"namespaces": ["default", "media"]}));
    let function = rest.get("/v1/namespaces/media/functions/a").await.json();
    assert_eq!(function["managedBy"], "API");
}
