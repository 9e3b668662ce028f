use super::{function_reason, neighbours_are_well, server};
use eventflow_e2e::storm::children::Mark;
use eventflow_e2e::wait::settles;
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test]
async fn grandchildren_that_ignore_sigterm_go_with_their_call() {
    let (_server, rest) = server(&["process.kill_grace=500ms"]).await;
    let mark = Mark::new();
    let script = r#"trap "" TERM
        setsid sh -c 'trap "" TERM; sleep 600 & setsid sleep 600 & sleep 600' &
        (sleep 600 &)
        sleep 600; sleep 600"#;
    let family = json!({"name": "family", "runtime": "process", "command": ["sh", "-c", script], "timeout": "2s",
                        "env": mark.env()});
    rest.apply(&family).await;
    let begun = Instant::now();
    let call = async { (rest.invoke("family", "x").await, begun.elapsed()) };
    let ((answer, took), ()) = futures::future::join(call, mark.at_least(6)).await;
    assert_eq!((answer.status, function_reason(&answer)), (504, json!("Timeout")), "{answer:?}");
    assert!(took < Duration::from_secs(6), "it took {took:?}");
    mark.nothing_left().await;
    neighbours_are_well(&rest).await;
}

#[tokio::test]
async fn a_server_function_that_crashes_at_its_start_is_degraded_and_its_calls_end() {
    let (_server, rest) = server(&[]).await;
    let script = "echo 'no database at 10.0.0.1' >&2; exit 3";
    let crashing = json!({"name": "crashing", "runtime": "process", "command": ["sh", "-c", script], "port": 8080,
                          "startDeadline": "3s", "timeout": "5s"});
    rest.apply(&crashing).await;
    let waiting = rest.invoke_async("crashing", "queued").await;
    let begun = Instant::now();
    let answer = rest.invoke("crashing", "now").await;
    let reason = function_reason(&answer);
    assert_eq!(answer.status, 502, "{answer:?}");
    assert!([json!("StartFailed"), json!("StartDeadline")].contains(&reason), "{answer:?}");
    assert!(begun.elapsed() < Duration::from_secs(10), "it took {:?}", begun.elapsed());
    let record = rest.ended(&waiting).await;
    assert_eq!((&record["state"], &record["reason"]), (&json!("FAILED"), &reason), "{record}");

    let degraded = settles(
        "it says why",
        Duration::from_secs(10),
        async || rest.get("/v1/functions/crashing").await.json(),
        |function| {
            function["conditions"].as_array().is_some_and(|conditions| {
                conditions
                    .iter()
                    .any(|condition| condition["type"] == "Degraded" && condition["status"] == "True")
            })
        },
    )
    .await;
    println!("{}", degraded["conditions"]);
    assert_eq!(degraded["state"], "DEGRADED", "{degraded}");
    assert!(
        degraded["conditions"]
            .to_string()
            .contains("code 3 before it listened on $PORT; its last words: no database"),
        "{degraded}"
    );
    neighbours_are_well(&rest).await;
}
