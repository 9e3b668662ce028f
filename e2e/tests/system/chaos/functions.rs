//! The functions of the storms, and how each behaves.

use super::children::Mark;
use crate::support::shell_with;
use eventflow_e2e::Rest;
use eventflow_e2e::checker::{Ends, Program};
use eventflow_e2e::ledger::Ledger;
use eventflow_e2e::wait::settles;
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) const JOB: Program = Program { name: "job", notes: true, ends: Ends::Echoes };
pub(crate) const SLOW: Program = Program { name: "slow", notes: true, ends: Ends::Echoes };
pub(crate) const FLAKY: Program = Program { name: "flaky", notes: true, ends: Ends::EchoesFrom(3) };
pub(crate) const DOOMED: Program = Program { name: "doomed", notes: true, ends: Ends::Fails(2) };
pub(crate) const LEAN: Program = Program { name: "lean", notes: false, ends: Ends::Echoes };
pub(crate) const ALL: [Program; 5] = [JOB, SLOW, FLAKY, DOOMED, LEAN];

/// A lean module that answers its payload, of up to 127 KiB.
pub(crate) const ECHO_WAT: &str = r#"(module
  (memory (export "memory") 2)
  (func (export "ef_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "ef_handle") (param $ptr i32) (param $len i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32)) (i64.extend_i32_u (local.get $len)))))"#;

/// A process job by a shell script, few at once: the machine has other things to do.
pub(crate) fn shell(name: &str, script: &str) -> Value {
    shell_with(name, script, json!({"concurrency": 8}))
}

/// Uploads code and gives the manifest of a wasm job.
pub(crate) async fn wasm(rest: &Rest, name: &str, code: &str) -> Value {
    let answer = rest.request("POST", "/v1/artifacts").body(code.to_owned()).send().await;
    assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    let image = format!("artifact@{}", answer.json()["digest"].as_str().expect("a digest"));
    json!({"name": name, "runtime": "wasm", "image": image, "mode": "job"})
}

pub(crate) async fn ready(rest: &Rest, name: &str) {
    let path = format!("/v1/functions/{name}");
    let read = async || rest.get(&path).await.json();
    settles("the function is ready", Duration::from_secs(60), read, |function| function["state"] == "READY")
        .await;
}

/// Applies them all.
pub(crate) async fn deploy(rest: &Rest, ledger: &Ledger, mark: &Mark) {
    let note = ledger.note();
    let retry = |times: u32| json!({"maxAttempts": times, "backoff": {"initial": "20ms", "max": "100ms"}});
    let mut functions = vec![
        shell(JOB.name, &format!("{note}; printf %s \"$payload\"")),
        shell(SLOW.name, &format!("{note}; sleep 0.15; printf %s \"$payload\"")),
        shell(FLAKY.name, &format!("{note}; [ $EVENTFLOW_ATTEMPT -ge 3 ] || exit 7; printf %s \"$payload\"")),
        shell(DOOMED.name, &format!("{note}; exit 9")),
    ];
    functions[2]["retry"] = retry(4);
    functions[3]["retry"] = retry(2);
    for function in &mut functions {
        function["env"] = mark.env();
    }
    functions.push(wasm(rest, LEAN.name, ECHO_WAT).await);
    for function in &functions {
        rest.apply(function).await;
    }
    for program in ALL {
        ready(rest, program.name).await;
    }
}
