//! Functions that mean harm, through the real binary: each gets the answer of the table, its neighbours do not notice,
//! and the server stays flat and alive.

mod memory;
mod output;
mod processes;

use eventflow_e2e::storm::functions::{ECHO_WAT, ready, wasm};
use eventflow_e2e::{Answer, Rest, Server};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// Beyond its limit a run may take so long to be answered.
const OVERRUN: Duration = Duration::from_millis(500);

const LOOP_WAT: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "ef_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "ef_handle") (param i32 i32) (result i64) (loop $forever (br $forever)) (i64.const 0)))"#;

/// A server with an honest function named `honest`.
async fn server(settings: &[&str]) -> (Server, Rest) {
    let options = settings.iter().fold(Server::options(), |options, setting| options.set(setting));
    let server = options.start().await;
    let rest = server.rest().await;
    rest.apply(&wasm(&rest, "honest", ECHO_WAT).await).await;
    ready(&rest, "honest").await;
    (server, rest)
}

async fn neighbours_are_well(rest: &Rest) {
    for number in 0..10 {
        let answer = rest.invoke("honest", format!("{number}")).await;
        assert_eq!((answer.status, answer.text()), (200, format!("{number}")));
    }
    assert_eq!(rest.get("/healthz").await.status, 200);
}

/// How the function failed, of a sync answer.
fn function_reason(answer: &Answer) -> Value {
    answer.json()["metadata"]["functionReason"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_loop_is_ended_at_its_timeout_while_others_answer() {
    let (_server, rest) = server(&[]).await;
    let mut endless = wasm(&rest, "endless", LOOP_WAT).await;
    endless["timeout"] = json!("1s");
    rest.apply(&endless).await;
    ready(&rest, "endless").await;
    let limit = Duration::from_secs(1) + OVERRUN;
    let mut took = Vec::new();
    // The machine may be busy with other things: one of three tries must keep the time.
    while took.len() < 3 {
        let begun = Instant::now();
        let looped = async {
            let calls = (0..4).map(|_| rest.invoke("endless", "x"));
            (futures::future::join_all(calls).await, begun.elapsed())
        };
        let ((answers, elapsed), ()) = futures::future::join(looped, neighbours_are_well(&rest)).await;
        for answer in answers {
            assert_eq!((answer.status, function_reason(&answer)), (504, json!("Timeout")), "{answer:?}");
        }
        took.push(elapsed);
        if elapsed <= limit {
            return;
        }
    }
    panic!("the answers took {took:?}, the limit is {limit:?}");
}

#[tokio::test]
async fn a_result_over_the_limit_is_an_error_and_never_cut() {
    let (_server, rest) = server(&["limits.payload=1Mi", "limits.inline=64Ki"]).await;
    let write = r#"head -c "$(cat)" /dev/zero >"$EVENTFLOW_RESULT_FILE""#;
    rest.apply(&json!({"name": "large", "runtime": "process", "command": ["sh", "-c", write]})).await;
    let fits = rest.invoke("large", "1048576").await;
    assert_eq!((fits.status, fits.body.len()), (200, 1 << 20));
    let over = rest.invoke("large", "1048577").await;
    assert_eq!((over.status, function_reason(&over)), (502, json!("ResultTooLarge")), "{over:?}");
    let id = over.json()["metadata"]["invocationId"].as_str().expect("an id").to_owned();
    assert_eq!(rest.ended(&id).await["resultSize"], "0");
    neighbours_are_well(&rest).await;
}
