use super::{apply, json, script};
use eventflow_e2e::wait::{SOON, settles};
use eventflow_e2e::{Cli, Server};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test]
async fn a_payload_comes_from_the_line_a_file_or_stdin_and_the_result_goes_to_stdout() {
    let server = Server::start().await;
    let cli = server.cli().await;
    apply(&cli, "a", &script("a", "exec cat")).await;
    let said = cli.run(&["invoke", "a", "--data", "from the line"]).await;
    assert_eq!((said.code, said.stdout.as_str()), (0, "from the line"), "{said:#?}");
    assert!(said.stderr.contains("SUCCEEDED  version 1"), "what is no result goes to stderr: {said:#?}");
    let bytes: Vec<u8> = (0..=255).collect();
    cli.write("bytes.bin", &bytes);
    let raw = cli.command(&["invoke", "a", "--file", "bytes.bin"]).output().await.unwrap();
    assert_eq!(raw.stdout, bytes, "bytes are not touched");
    let piped = cli.run_with(&["invoke", "a", "-f", "-"], b"from stdin").await;
    assert_eq!(piped.stdout, "from stdin", "{piped:#?}");
    let both = cli.run(&["invoke", "a", "--data", "x", "--file", "bytes.bin"]).await;
    assert_eq!(both.code, 2, "{both:#?}");
    let gone = cli.run(&["invoke", "a", "--file", "gone.bin"]).await;
    assert_eq!(gone.code, 66, "{gone:#?}");
    assert!(gone.stderr.contains("gone.bin"), "{gone:#?}");
}

#[tokio::test]
async fn content_type_key_and_trace_of_a_call_are_headers() {
    let server = Server::start().await;
    let cli = server.cli().await;
    apply(&cli, "a", &script("a", "exec cat")).await;
    let trace = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let headers = ["-H", "Content-Type: text/x-special", "-H", "Idempotency-Key: k1", "-H", trace];
    let call = [&["invoke", "a", "--data", "x"], &headers[..]].concat();
    let record = json(&cli, &call).await;
    assert_eq!(record["payloadContentType"], "text/x-special", "{record}");
    assert_eq!(record["traceId"], "0af7651916cd43dd8448eb211c80319c", "{record}");
    assert_eq!((&record["state"], &record["resultText"]), (&json!("SUCCEEDED"), &json!("x")));
    let again = json(&cli, &call).await;
    assert_eq!(again["id"], record["id"], "the same key is the same call");
    let unknown = cli.run(&["invoke", "a", "-H", "Idempotency-Kye: k"]).await;
    assert_eq!(unknown.code, 2, "{unknown:#?}");
    assert!(unknown.stderr.contains("did you mean \"idempotency-key\""), "{unknown:#?}");
}

#[tokio::test]
async fn a_failing_function_ends_with_1_and_says_why_on_stderr() {
    let server = Server::start().await;
    let cli = server.cli().await;
    apply(&cli, "a", &script("a", "echo partial; echo why >&2; exit 7")).await;
    let failed = cli.run(&["invoke", "a"]).await;
    assert_eq!(failed.code, 1, "{failed:#?}");
    assert!(failed.stderr.contains("FAILED ExitCode") && failed.stderr.contains('7'), "{failed:#?}");
    assert!(failed.stderr.contains("eventflow logs --invocation "), "it says what to do next: {failed:#?}");
    let record = cli.run(&["invoke", "a", "-o", "json"]).await;
    assert_eq!(record.code, 1, "{record:#?}");
    let record: serde_json::Value = serde_json::from_str(&record.stdout).unwrap();
    assert_eq!((&record["state"], &record["attempts"][0]["exitCode"]), (&json!("FAILED"), &json!(7)));
}

#[tokio::test]
async fn a_call_is_left_behind_by_async_delay_and_a_wait_that_runs_out() {
    let server = Server::start().await;
    let cli = server.cli().await;
    apply(&cli, "a", &script("a", "sleep 1; exec cat")).await;
    let id = cli.ok(&["invoke", "a", "--data", "x", "--async"]).await;
    let id = id.trim();
    assert_eq!(id.len(), 36, "the id and nothing else: {id:?}");
    let record = json(&cli, &["invocations", "get", id, "--wait", "20s"]).await;
    assert_eq!((&record["state"], &record["id"]), (&json!("SUCCEEDED"), &json!(id)));
    assert_eq!(cli.ok(&["invocations", "result", id]).await, "x");

    let begun = Instant::now();
    let short = cli.run(&["invoke", "a", "--wait", "200ms"]).await;
    assert_eq!(short.code, 1, "{short:#?}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(short.stderr.contains("eventflow invocations get "), "{short:#?}");

    let later = cli.ok(&["invoke", "a", "--delay", "1h"]).await;
    let record = json(&cli, &["inv", "get", later.trim()]).await;
    assert_eq!(record["state"], "QUEUED", "{record}");
    let bad = cli.run(&["invoke", "a", "--wait", "5x"]).await;
    assert_eq!(bad.code, 2, "{bad:#?}");
    assert!(bad.stderr.contains("--wait"), "{bad:#?}");
}

#[tokio::test]
async fn ctrl_c_leaves_the_call_alive_and_says_its_id() {
    let server = Server::start().await;
    let cli = server.cli().await;
    apply(&cli, "a", &script("a", "gate=$(cat); while ! test -e \"$gate\"; do sleep 0.05; done; echo done"))
        .await;
    let gate = cli.home().join("gate");
    let waiting = cli.command(&["invoke", "a", "--data", gate.to_str().unwrap()]).spawn().unwrap();
    let rest = server.rest().await;
    let calls =
        async || rest.get("/v1/invocations?state=RUNNING").await.json()["invocations"][0]["id"].clone();
    let id = settles("a running call", SOON, calls, serde_json::Value::is_string).await;
    // The client learns of the call after the record does.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let pid = Pid::from_raw(waiting.id().unwrap().cast_signed()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let ended = waiting.wait_with_output().await.unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(130), "{said}");
    let id = id.as_str().unwrap();
    assert!(said.contains(&format!("eventflow invocations get {id}")), "{said}");
    std::fs::write(gate, "").unwrap();
    let record = json(&cli, &["invocations", "get", id, "--wait", "20s"]).await;
    assert_eq!((&record["state"], &record["resultText"]), (&json!("SUCCEEDED"), &json!("done\n")));
}

#[tokio::test]
async fn calls_are_listed_shown_cancelled_and_replayed() {
    let server = Server::start().await;
    let cli = server.cli().await;
    apply(&cli, "a", &script("a", "exec cat")).await;
    apply(&cli, "slow", &script("slow", "sleep 60")).await;
    cli.ok(&["invoke", "a", "--data", "x"]).await;
    let slow = cli.ok(&["invoke", "slow", "--async"]).await;
    let slow = slow.trim();

    let table = cli.ok(&["invocations", "list"]).await;
    let rows: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0][..3], ["ID", "FUNCTION", "STATE"]);
    assert_eq!((rows.len(), rows[1][0], rows[2][1], rows[2][2]), (3, slow, "a", "SUCCEEDED"), "{table}");
    let done = json(&cli, &["invocations", "list", "--function", "a", "--state", "succeeded"]).await;
    let id = done["invocations"][0]["id"].as_str().unwrap();
    assert_eq!(done["invocations"].as_array().unwrap().len(), 1);
    let bad = cli.run(&["invocations", "list", "--state", "succeded"]).await;
    assert_eq!(bad.code, 2, "{bad:#?}");
    assert!(bad.stderr.contains("did you mean \"succeeded\""), "{bad:#?}");

    let shown = cli.ok(&["invocations", "get", id]).await;
    for wanted in [id, "default/a, version 1", "SUCCEEDED", "by admin", "Attempt 1"] {
        assert!(shown.contains(wanted), "{wanted}: {shown}");
    }
    let again = cli.ok(&["invocations", "replay", id, "--data", "y"]).await;
    let record = json(&cli, &["invocations", "get", again.trim(), "--wait", "20s"]).await;
    assert_eq!((&record["resultText"], &record["replayOf"]), (&json!("y"), &json!(id)), "{record}");

    let said = cli.ok(&["invocations", "cancel", slow]).await;
    assert!(said.starts_with(&format!("invocation {slow} cancel")), "{said}");
    let record = json(&cli, &["invocations", "get", slow, "--wait", "20s"]).await;
    assert_eq!(record["state"], "CANCELLED", "{record}");
    let late = cli.run(&["invocations", "cancel", id]).await;
    assert_eq!(late.code, 1, "{late:#?}");
    assert!(late.stderr.contains("SUCCEEDED"), "it names the state: {late:#?}");
    let no_id = cli.run(&["invocations", "get", "nonsense"]).await;
    assert_eq!(no_id.code, 65, "{no_id:#?}");
}

#[tokio::test]
async fn dead_letters_are_listed_shown_and_redriven() {
    let server = Server::start().await;
    let cli = server.cli().await;
    apply(&cli, "a", &script("a", "exit 4")).await;
    for data in ["one", "two", "three"] {
        assert_eq!(cli.run(&["invoke", "a", "--data", data]).await.code, 1);
    }
    let letters = json(&cli, &["dlq", "list", "--function", "a", "--reason", "ExitCode"]).await;
    let ids: Vec<_> =
        letters["invocations"].as_array().unwrap().iter().map(|l| l["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 3, "{letters}");
    let shown = cli.ok(&["dlq", "show", ids[0]]).await;
    assert!(
        shown.contains("ExitCode") && shown.contains("dlq redrive") && shown.contains("exit code 4"),
        "{shown}"
    );

    let bare = cli.run(&["dlq", "redrive"]).await;
    assert_eq!(bare.code, 2, "all of them only when said so: {bare:#?}");
    assert_eq!(cli.ok(&["dlq", "redrive", "--all", "--dry-run"]).await, "3 dead letters would be redriven\n");
    apply(&cli, "a", &script("a", "exec cat")).await;
    let one = cli.ok(&["dlq", "redrive", ids[2]]).await;
    let record = json(&cli, &["invocations", "get", one.trim(), "--wait", "20s"]).await;
    assert_eq!((&record["state"], &record["resultText"]), (&json!("SUCCEEDED"), &json!("one")), "{record}");
    assert_eq!(cli.ok(&["dlq", "redrive", "--function", "a"]).await, "2 dead letters redriven\n");
    assert_eq!(json(&cli, &["dlq", "list"]).await, json!({"invocations": []}));
}

#[tokio::test]
async fn a_function_of_another_namespace_is_called_by_naming_it() {
    let server = Server::start().await;
    let cli = server.cli().await;
    cli.write("a.yaml", script("a", "exec cat"));
    cli.ok(&["apply", "-f", "a.yaml", "-n", "team"]).await;
    assert_eq!(cli.ok(&["-n", "team", "invoke", "a", "--data", "x"]).await, "x");
    let mut by_variable = cli.command(&["invoke", "a", "--data", "y"]);
    by_variable.env("EVENTFLOW_NAMESPACE", "team");
    assert_eq!(Cli::finish(by_variable, &[]).await.stdout, "y");
    assert_eq!(cli.run(&["invoke", "a"]).await.code, 1);
}
