//! The functions of the storms, and how each behaves.

use super::children::Mark;
use crate::Rest;
use crate::checker::{Ends, Program};
use crate::ledger::Ledger;
use crate::support::shell_with;
use crate::wait::settles;
use serde_json::{Value, json};
use std::time::Duration;

pub const JOB: Program = Program { name: "job", notes: true, ends: Ends::Echoes };
pub const SLOW: Program = Program { name: "slow", notes: true, ends: Ends::Echoes };
pub const FLAKY: Program = Program { name: "flaky", notes: true, ends: Ends::EchoesFrom(3) };
pub const DOOMED: Program = Program { name: "doomed", notes: true, ends: Ends::Fails(2) };
pub const LEAN: Program = Program { name: "lean", notes: false, ends: Ends::Echoes };
pub const HANG: Program = Program { name: "hang", notes: true, ends: Ends::Hangs(2) };
pub const ALL: [Program; 6] = [JOB, SLOW, FLAKY, DOOMED, LEAN, HANG];

/// Its second attempt takes so long that an answer of the first one, of a worker that stood still, comes in its middle.
pub const LATE: Program = Program { name: "late", notes: true, ends: Ends::Numbers };
/// Few at once, so that what is asked for in a burst waits in the broker.
pub const QUEUED: Program = Program { name: "queued", notes: true, ends: Ends::Echoes };
/// What tells whether calls come through at all.
pub const PROBE: Program = Program { name: "probe", notes: false, ends: Ends::Echoes };
/// What is only asked for by its URL.
pub const URL: &str = "url";
/// What only a fleet is asked for.
pub const FOR_FLEETS: [Program; 3] = [LATE, QUEUED, PROBE];

/// A lean module that answers its payload, of up to 127 KiB.
pub const ECHO_WAT: &str = r#"(module
  (memory (export "memory") 2)
  (func (export "ef_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "ef_handle") (param $ptr i32) (param $len i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32)) (i64.extend_i32_u (local.get $len)))))"#;

/// A process job by a shell script, few at once: the machine has other things to do.
pub fn shell(name: &str, script: &str) -> Value {
    shell_with(name, script, json!({"concurrency": 8}))
}

/// Uploads code and gives the manifest of a wasm job.
pub async fn wasm(rest: &Rest, name: &str, code: &str) -> Value {
    let answer = rest.request("POST", "/v1/artifacts").body(code.to_owned()).send().await;
    assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    let image = format!("artifact@{}", answer.json()["digest"].as_str().expect("a digest"));
    json!({"name": name, "runtime": "wasm", "image": image, "mode": "job"})
}

pub async fn ready(rest: &Rest, name: &str) {
    let path = format!("/v1/functions/{name}");
    let read = async || rest.get(&path).await.json();
    settles("the function is ready", Duration::from_secs(60), read, |function| function["state"] == "READY")
        .await;
}

/// Applies those.
pub async fn deploy_for_fleets(rest: &Rest, ledger: &Ledger) {
    let note = ledger.note();
    // Longer than a worker stands still after its lease has run out and somebody has found that.
    // By a file: what is printed is also a line of the log, whose writing would hold up a stale settlement.
    let answer = "printf %s \"$EVENTFLOW_ATTEMPT\" >\"$EVENTFLOW_RESULT_FILE\"";
    let script = format!("[ $EVENTFLOW_ATTEMPT -le 1 ] || sleep 7; sleep 0.6; {answer}");
    rest.apply(&shell(LATE.name, &format!("{note}; {script}"))).await;
    let script = format!("{note}; sleep 0.15; printf %s \"$payload\"");
    rest.apply(&shell_with(QUEUED.name, &script, json!({"concurrency": 4}))).await;
    rest.apply(&wasm(rest, PROBE.name, ECHO_WAT).await).await;
    for program in FOR_FLEETS {
        ready(rest, program.name).await;
    }
}

/// Applies [`URL`], a warm process that notes what it is asked for in a ledger of its own.
pub async fn deploy_url(rest: &Rest, ledger: &Ledger) {
    let script = crate::root().join("e2e/src/storm/url.py");
    let function = json!({
        "name": URL, "runtime": "process", "mode": "http", "port": 8080,
        "command": ["python3", script, ledger.path()],
        "scaling": {"min": 0, "max": 2, "concurrency": 16},
    });
    rest.apply(&function).await;
    ready(rest, URL).await;
}

/// Applies them all.
pub async fn deploy(rest: &Rest, ledger: &Ledger, mark: &Mark) {
    let note = ledger.note();
    let retry = |times: u32| json!({"maxAttempts": times, "backoff": {"initial": "20ms", "max": "100ms"}});
    let mut functions = vec![
        shell(JOB.name, &format!("{note}; printf %s \"$payload\"")),
        shell(SLOW.name, &format!("{note}; sleep 0.15; printf %s \"$payload\"")),
        shell(FLAKY.name, &format!("{note}; [ $EVENTFLOW_ATTEMPT -ge 3 ] || exit 7; printf %s \"$payload\"")),
        shell(DOOMED.name, &format!("{note}; exit 9")),
        shell(HANG.name, &format!("{note}; exec sleep 60")),
    ];
    functions[2]["retry"] = retry(4);
    functions[3]["retry"] = retry(2);
    functions[4]["retry"] = retry(2);
    functions[4]["timeout"] = json!("1s");
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
