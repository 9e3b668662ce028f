mod answers;
mod downloads;

use eventflow_e2e::support::{echo, shell, shell_with};
use eventflow_e2e::wait::{SOON, settles};
use eventflow_e2e::{Rest, Server};
use serde_json::{Value, json};

async fn in_state(rest: &Rest, id: &str, state: &str) -> Value {
    settles(
        &format!("{id} to be {state}"),
        SOON,
        async || rest.record(id).await,
        |record| record["state"] == state,
    )
    .await
}

#[tokio::test]
async fn an_accepted_call_is_recorded_with_payload_result_and_logs() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&shell("a", "echo working >&2; tr a-z A-Z")).await;
    let call = rest.request("POST", "/v1/functions/a:invoke").header("content-type", "text/x-note");
    let accepted = call.body("hello").send().await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let id = accepted.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(accepted.json(), json!({"id": id, "state": "QUEUED"}));
    assert_eq!(accepted.header("location"), format!("/v1/invocations/{id}"));

    let record = rest.ended(&id).await;
    let expected = json!({
        "id": id, "namespace": "default", "function": "a", "version": 1, "state": "SUCCEEDED", "source": "ASYNC",
        "caller": "admin", "attempt": 1, "lost": 0, "payloadSize": "5", "payloadContentType": "text/x-note",
        "resultSize": "5", "resultText": "HELLO", "deadLetter": false, "logsTruncated": false,
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&record[key], value, "{key} of {record}");
    }
    for key in ["traceId", "createTime", "startTime", "endTime", "queueWait", "duration", "functionUid"] {
        assert!(record[key].as_str().is_some_and(|text| !text.is_empty()), "{key} of {record}");
    }
    let attempt = &record["attempts"][0];
    assert_eq!(
        (&attempt["number"], &attempt["exitCode"], &attempt["start"]),
        (&json!(1), &json!(0), &json!("COLD"))
    );

    let result = rest.get(&format!("/v1/invocations/{id}/result")).await;
    assert_eq!((result.status, result.text().as_str()), (200, "HELLO"));
    assert_eq!(result.header("content-security-policy"), "sandbox");
    let payload = rest.get(&format!("/v1/invocations/{id}/payload")).await;
    assert_eq!((payload.text().as_str(), payload.header("content-type")), ("hello", "text/x-note"));
    let mut logs = rest.request("GET", &format!("/v1/invocations/{id}/logs")).stream().await;
    let line = logs.value().await.expect("a line");
    assert_eq!(
        (&line["text"], &line["stream"], &line["attempt"], &line["seq"]),
        (&json!("working"), &json!("STDERR"), &json!(1), &json!(1))
    );
    let mut lines = vec![line];
    while let Some(line) = logs.value().await {
        lines.push(line);
    }
    let numbers: Vec<_> = lines.iter().map(|line| line["seq"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=lines.len() as i64).collect::<Vec<_>>(), "numbers without gaps");
}

#[tokio::test]
async fn a_synchronous_answer_is_the_functions_own_result() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&echo("a")).await;
    let answer = rest.invoke("a", "as it is \u{e9}").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "as it is \u{e9}"));
    assert!(answer.header("content-type").starts_with("text/plain"), "{answer:?}");
    assert_eq!((answer.header("eventflow-version"), answer.header("eventflow-attempt")), ("1", "1"));
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    let record = rest.ended(answer.header("eventflow-invocation-id")).await;
    assert_eq!((&record["state"], &record["source"]), (&json!("SUCCEEDED"), &json!("SYNC")), "{record}");

    let binary = rest.invoke("a", vec![0, 159, 146, 150]).await;
    assert_eq!(
        (binary.header("content-type"), &binary.body[..]),
        ("application/octet-stream", &[0, 159, 146, 150][..])
    );

    let recorded = rest.request("POST", "/v1/functions/a:invoke?wait=30s&record=true").body("x").send().await;
    let record = recorded.json();
    assert_eq!(
        (recorded.status, &record["state"], &record["resultText"]),
        (200, &json!("SUCCEEDED"), &json!("x"))
    );
}

#[tokio::test]
async fn a_failure_is_502_and_a_timeout_504_with_the_id() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&shell("fails", "echo partly; exit 3")).await;
    rest.apply(&shell_with("hangs", "sleep 30", json!({"timeout": "1s"}))).await;
    for (name, status, reason) in [("fails", 502, "ExitCode"), ("hangs", 504, "Timeout")] {
        let answer = rest.invoke(name, "").await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (status, "FunctionFailed"),
            "{name}: {answer:?}"
        );
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let metadata = &answer.json()["metadata"];
        assert_eq!(
            (&metadata["functionReason"], &metadata["attempt"]),
            (&json!(reason), &json!("1")),
            "{answer:?}"
        );
        let record = rest.ended(metadata["invocationId"].as_str().expect("an id")).await;
        assert_eq!((&record["state"], &record["reason"]), (&json!("FAILED"), &json!(reason)), "{record}");
        let recorded =
            rest.request("POST", &format!("/v1/functions/{name}:invoke?wait=30s&record=true")).send().await;
        assert_eq!((recorded.status, &recorded.json()["state"]), (200, &json!("FAILED")), "{recorded:?}");
    }
}

#[tokio::test]
async fn a_wait_that_runs_out_answers_202_and_the_call_goes_on() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&shell("slow", "sleep 1.5; echo done")).await;
    let answer = rest.request("POST", "/v1/functions/slow:invoke?wait=200ms").send().await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("location"), format!("/v1/invocations/{id}"));
    let waited = rest.get(&format!("/v1/invocations/{id}?wait=100ms")).await.json();
    assert_eq!(waited["state"], "RUNNING", "a wait for a record ends too: {waited}");
    let early = rest.get(&format!("/v1/invocations/{id}/result")).await;
    assert_eq!(early.status, 409, "there is no result yet: {early:?}");
    assert_eq!(rest.ended(&id).await["resultText"], "done\n");
}

#[tokio::test]
async fn a_delayed_call_starts_no_earlier() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&shell("a", "date +%s%3N")).await;
    let accepted = rest.request("POST", "/v1/functions/a:invoke?delay=1200ms").send().await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let id = accepted.json()["id"].as_str().unwrap().to_owned();
    let record = rest.record(&id).await;
    assert_eq!(record["state"], "QUEUED");
    assert!(record["notBeforeTime"].is_string(), "{record}");
    let record = rest.ended(&id).await;
    let wait = record["queueWait"].as_str().unwrap().trim_end_matches('s').parse::<f64>().unwrap();
    assert!((1.2..6.0).contains(&wait), "{record}");
}

#[tokio::test]
async fn queued_and_running_calls_can_be_cancelled_once() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&shell_with("a", "sleep 60", json!({"concurrency": 1}))).await;
    let running = rest.invoke_async("a", "").await;
    in_state(&rest, &running, "RUNNING").await;
    let queued = rest.invoke_async("a", "").await;

    let cancel = async |id: &str| rest.post(&format!("/v1/invocations/{id}:cancel"), &json!({})).await;
    let ended = cancel(&queued).await;
    assert_eq!((ended.status, &ended.json()["state"]), (200, &json!("CANCELLED")), "{ended:?}");
    let wished = cancel(&running).await;
    assert_eq!((wished.status, &wished.json()["cancelRequested"]), (200, &json!(true)), "{wished:?}");
    let record = rest.ended(&running).await;
    assert_eq!((&record["state"], &record["reason"]), (&json!("CANCELLED"), &json!("Cancelled")), "{record}");
    let late = cancel(&running).await;
    assert_eq!(late.status, 409, "{late:?}");
    assert_eq!(cancel("01890000-0000-7000-8000-000000000000").await.status, 404);
}

#[tokio::test]
async fn bulk_cancel_counts_first_and_cancels_by_filter() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&echo("a")).await;
    rest.apply(&echo("b")).await;
    for name in ["a", "a", "a", "b"] {
        assert_eq!(
            rest.request("POST", &format!("/v1/functions/{name}:invoke?delay=1h")).send().await.status,
            202
        );
    }
    let filter = json!({"function": "a", "state": ["QUEUED"]});
    let count = rest.post("/v1/invocations:cancel", &json!({"filter": filter, "dryRun": true})).await;
    assert_eq!((count.status, &count.json()["count"]), (200, &json!("3")), "{count:?}");
    let done = rest.post("/v1/invocations:cancel", &json!({"filter": filter})).await;
    assert_eq!(done.json()["count"], "3", "{done:?}");
    let left = rest.get("/v1/invocations?state=QUEUED").await.json();
    assert_eq!(left["invocations"].as_array().unwrap().len(), 1, "{left}");
}

#[tokio::test]
async fn a_replay_is_a_new_call_with_the_old_or_an_edited_payload() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&echo("a")).await;
    let first = rest.invoke("a", "original").await.header("eventflow-invocation-id").to_owned();
    let before = rest.ended(&first).await;
    let replay = |body: Value| rest.request("POST", &format!("/v1/invocations/{first}:replay")).json(&body);

    let same = replay(json!({})).send().await.json();
    assert_eq!((&same["replayOf"], &same["source"]), (&json!(first), &json!("REPLAY")), "{same}");
    assert_eq!(rest.ended(same["id"].as_str().unwrap()).await["resultText"], "original");

    // Bytes in proto3 JSON are base64: "edited".
    let edited =
        replay(json!({"payload": {"contentType": "text/plain", "data": "ZWRpdGVk"}})).send().await.json();
    assert_eq!(rest.ended(edited["id"].as_str().unwrap()).await["resultText"], "edited");
    assert_eq!(rest.record(&first).await, before, "the old record does not change");
    let found = rest.get(&format!("/v1/invocations?replayOf={first}")).await.json();
    assert_eq!(found["invocations"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_idempotency_key_gives_the_first_calls_answer() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&shell("a", "cat; date +%N")).await;
    rest.apply(&shell("fails", "exit 5")).await;
    rest.apply(&shell("slow", "sleep 60")).await;
    let call = |name: &str, query: &str, key: &str, body: &str| {
        let call = rest.request("POST", &format!("/v1/functions/{name}:invoke{query}"));
        call.header("idempotency-key", key).header("content-type", "text/plain").body(body.to_owned())
    };
    let first = call("a", "?wait=30s", "k1", "x").send().await;
    let second = call("a", "?wait=30s", "k1", "x").send().await;
    assert_eq!((second.status, second.text()), (200, first.text()), "the run was not repeated");
    assert_eq!(second.header("eventflow-invocation-id"), first.header("eventflow-invocation-id"));
    let other = call("a", "?wait=30s", "k1", "y").send().await;
    assert_eq!((other.status, other.reason().as_str()), (422, "KeyReused"), "{other:?}");

    let failed = call("fails", "?wait=30s", "k2", "x").send().await;
    let again = call("fails", "?wait=30s", "k2", "x").send().await;
    assert_eq!((failed.status, again.status), (502, 502));
    assert_eq!(again.json()["metadata"]["invocationId"], failed.json()["metadata"]["invocationId"]);

    let queued = call("slow", "", "k3", "x").send().await;
    let same = call("slow", "", "k3", "x").send().await;
    assert_eq!(
        (queued.status, same.status, same.json()["id"].clone()),
        (202, 202, queued.json()["id"].clone())
    );
    let in_flight = call("slow", "?wait=1s", "k3", "x").send().await;
    assert_eq!(in_flight.status, 409, "{in_flight:?}");
    assert!(
        in_flight.text().contains(queued.json()["id"].as_str().unwrap()),
        "it names the call: {in_flight:?}"
    );
}

#[tokio::test]
async fn failed_attempts_are_retried_and_the_dead_letter_is_redriven_or_discarded() {
    let server = Server::start().await;
    let rest = server.rest().await;
    let retry = json!({"retry": {"maxAttempts": 2, "backoff": {"initial": "50ms", "jitter": 0}}});
    rest.apply(&shell_with("a", "echo attempt $EVENTFLOW_ATTEMPT >&2; exit 4", retry.clone())).await;
    let mut dead = Vec::new();
    for _ in 0..3 {
        dead.push(rest.invoke_async("a", "work").await);
    }
    for id in &dead {
        let record = rest.ended(id).await;
        assert_eq!(
            (&record["state"], &record["attempt"], &record["deadLetter"]),
            (&json!("FAILED"), &json!(2), &json!(true)),
            "{record}"
        );
        let codes: Vec<_> = record["attempts"].as_array().unwrap().iter().map(|a| &a["exitCode"]).collect();
        assert_eq!(codes, [&json!(4), &json!(4)]);
    }
    let letters = rest.get("/v1/invocations?deadLetter=true&reason=ExitCode").await.json();
    assert_eq!(letters["invocations"].as_array().unwrap().len(), 3, "{letters}");

    rest.apply(&shell_with("a", "exec cat", retry)).await;
    let one = rest.post(&format!("/v1/invocations/{}:replay", dead[0]), &json!({})).await;
    assert_eq!(one.status, 200, "{one:?}");
    let redriven = rest.post("/v1/invocations:redrive", &json!({"filter": {"function": "a"}})).await.json();
    let ids = redriven["ids"].as_array().unwrap_or_else(|| panic!("ids in {redriven}")).clone();
    for id in &ids {
        let record = rest.ended(id.as_str().unwrap()).await;
        assert_eq!(
            (&record["state"], &record["version"], &record["resultText"]),
            (&json!("SUCCEEDED"), &json!(2), &json!("work")),
            "{record}"
        );
    }
    let left = rest.get("/v1/invocations?deadLetter=true").await.json();
    assert_eq!(left["invocations"], json!([]), "redriven letters lose the flag");

    rest.apply(&shell("b", "exit 1")).await;
    let id = rest.invoke_async("b", "").await;
    rest.ended(&id).await;
    let gone = rest.post("/v1/invocations:discard", &json!({"filter": {"function": "b"}})).await;
    assert_eq!((gone.status, &gone.json()["count"]), (200, &json!("1")), "{gone:?}");
    let record = rest.record(&id).await;
    assert_eq!((&record["state"], &record["deadLetter"]), (&json!("FAILED"), &json!(false)), "{record}");
}

#[tokio::test]
async fn calls_are_listed_newest_first_in_pages_by_filter() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&echo("a")).await;
    rest.apply(&shell("b", "exit 1")).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(rest.invoke_async("a", "").await);
    }
    let failed = rest.invoke_async("b", "").await;
    for id in ids.iter().chain([&failed]) {
        rest.ended(id).await;
    }
    let listed = |page: &Value| {
        let calls = page["invocations"].as_array().unwrap().iter();
        calls.map(|call| call["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let page = rest.get(&format!("/v1/invocations?function=a&pageSize=2&pageToken={token}")).await.json();
        found.extend(listed(&page));
        match page["nextPageToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    ids.reverse();
    assert_eq!(found, ids);
    let by_state = rest.get("/v1/invocations?state=FAILED&state=CANCELLED").await.json();
    assert_eq!(listed(&by_state), [failed]);
}
