//! What the process writes to its log.

use crate::server::Server;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_attempt_is_one_json_line_with_its_trace_and_its_call() {
    let server = Server::start(&["telemetry.format=json".to_owned()]).await;
    // What a function prints is its own log, and must not become lines of ours.
    let script = "printf 'one\\n\\033[31mtwo\\n'; exit ${EXIT:-0}";
    let command = json!(["sh", "-c", script]);
    server.apply(&json!({"name": "fine", "runtime": "process", "command": command})).await;
    let env = json!({"EXIT": "3"});
    server.apply(&json!({"name": "bad", "runtime": "process", "command": command, "env": env})).await;
    let mut calls = Vec::new();
    for name in ["fine", "bad", "fine"] {
        let answer = server.send("POST", &format!("/v1/functions/{name}:invoke?wait=20s"), &[], "").await;
        let id = answer.headers.get("eventflow-invocation-id").cloned();
        let id = id
            .unwrap_or_else(|| answer.json()["metadata"]["invocationId"].as_str().expect("an id").to_owned());
        calls.push((name, id, answer.headers["x-request-id"].clone()));
    }
    let unknown = server.send("POST", "/v1/functions/%1b%5B31m:invoke", &[], "").await;
    assert_eq!(unknown.status, 400);

    let log = server.stop().await;
    assert!(!log.chars().any(|c| c.is_control() && c != '\n'), "{log}");
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect();
    for (name, id, trace) in &calls {
        let of_call: Vec<_> = lines.iter().filter(|line| line["invocation_id"] == id.as_str()).collect();
        let [line] = of_call.as_slice() else { panic!("{name} {id}: {of_call:?}") };
        assert_eq!(line["message"], "attempt ended");
        assert_eq!(line["trace_id"], trace.as_str());
        assert_eq!(
            (&line["namespace"], &line["function"], &line["attempt"]),
            (&json!("default"), &json!(name), &json!(1))
        );
        let expected = if *name == "fine" { ("SUCCEEDED", "") } else { ("FAILED", "ExitCode") };
        assert_eq!((line["state"].as_str(), line["reason"].as_str()), (Some(expected.0), Some(expected.1)));
    }
    // Calls aside, a quiet life makes few lines, and none above info.
    let others: Vec<_> = lines.iter().filter(|line| line["invocation_id"].is_null()).collect();
    assert!(others.len() <= 12, "{others:#?}");
    assert!(others.iter().all(|line| line["level"] == "INFO"), "{others:#?}");
}
