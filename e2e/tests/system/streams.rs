use eventflow_e2e::Server;
use eventflow_e2e::support::{echo, shell, shell_with};
use eventflow_e2e::wait::{SOON, settles, within};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};

/// Three lines, each only after the file of its number is there: a follower that sees one knows that the run goes on.
fn stepwise(name: &str, folder: &std::path::Path) -> Value {
    let folder = folder.display();
    let script =
        format!("for i in 1 2 3; do while [ ! -e {folder}/go$i ]; do sleep 0.02; done; echo line $i; done");
    shell_with(name, &script, json!({"timeout": "50s"}))
}

fn go(server: &Server, step: usize) {
    std::fs::write(server.folder().join(format!("go{step}")), "").unwrap();
}

#[tokio::test]
async fn logs_are_followed_line_by_line_while_the_call_runs() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&stepwise("a", server.folder())).await;
    let id = rest.invoke_async("a", "").await;
    let path = format!("/v1/invocations/{id}/logs?follow");
    let mut stream = rest.request("GET", &path).stream().await;
    assert_eq!(
        (stream.status.as_u16(), &stream.headers["content-type"]),
        (200, &"application/x-ndjson".parse().unwrap())
    );
    for step in 1..=3 {
        go(&server, step);
        let line = stream.value().await.expect("a line");
        assert_eq!((&line["text"], &line["seq"]), (&json!(format!("line {step}")), &json!(step)), "{line}");
        if step < 3 {
            assert_eq!(rest.record(&id).await["state"], "RUNNING");
        }
    }
    assert_eq!(stream.value().await, None, "the stream ends with the call");

    let resumed = rest.get(&format!("/v1/invocations/{id}/logs?after=1:2")).await.text();
    assert!(resumed.contains("line 3") && !resumed.contains("line 2"), "{resumed}");
}

#[tokio::test]
async fn logs_come_as_server_sent_events_that_resume() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&stepwise("a", server.folder())).await;
    let id = rest.invoke_async("a", "").await;
    let path = format!("/v1/invocations/{id}/logs?follow=true");
    let mut stream = rest.request("GET", &path).header("accept", "text/event-stream").stream().await;
    assert!(stream.headers["content-type"].to_str().unwrap().starts_with("text/event-stream"));
    let mut event_id = String::new();
    for step in 1..=2 {
        go(&server, step);
        let (mut data, mut done) = (Value::Null, false);
        while !done {
            let line = stream.line().await.expect("an event");
            if let Some(id) = line.strip_prefix("id:") {
                event_id = id.trim().to_owned();
            } else if let Some(text) = line.strip_prefix("data:") {
                data = serde_json::from_str(text).unwrap();
            }
            done = line.is_empty() && !data.is_null();
        }
        assert_eq!(data["text"], format!("line {step}"), "{data}");
    }
    drop(stream);
    go(&server, 3);
    rest.ended(&id).await;
    let call =
        rest.request("GET", &path).header("accept", "text/event-stream").header("last-event-id", &event_id);
    let rest_of_it = call.send().await.text();
    assert!(rest_of_it.contains("line 3") && !rest_of_it.contains("line 2"), "{rest_of_it}");
}

#[tokio::test]
async fn logs_come_over_a_websocket_with_the_token_as_a_sub_protocol() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&stepwise("a", server.folder())).await;
    let id = rest.invoke_async("a", "").await;
    let url = format!("ws://127.0.0.1:{}/v1/invocations/{id}/logs?follow", server.port());
    let mut request = url.as_str().into_client_request().unwrap();
    let protocols = format!("eventflow, bearer.{}", rest.token().unwrap());
    request.headers_mut().insert("sec-websocket-protocol", protocols.parse().unwrap());
    let (mut socket, answer) = tokio_tungstenite::connect_async(request).await.expect("a WebSocket");
    assert_eq!(answer.headers()["sec-websocket-protocol"], "eventflow", "the token is not said back");
    for step in 1..=3 {
        go(&server, step);
        let text = loop {
            match within("a message", SOON, socket.next()).await.expect("a message").unwrap() {
                Message::Text(text) => break text,
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("unexpected {other:?}"),
            }
        };
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["text"], format!("line {step}"), "{line}");
    }
    let end = within("the close", SOON, socket.next()).await;
    assert!(
        matches!(end, Some(Ok(Message::Close(Some(ref close)))) if u16::from(close.code) == 1000),
        "{end:?}"
    );

    let anonymous = tokio_tungstenite::connect_async(url.as_str()).await;
    assert!(anonymous.unwrap_err().to_string().contains("401"), "no socket without a token");
}

#[tokio::test]
async fn a_functions_logs_hold_the_last_lines_of_all_its_calls_and_go_on() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&shell("a", "echo \"run $(cat)\"")).await;
    for n in 1..=3 {
        assert_eq!(rest.invoke("a", n.to_string()).await.status, 200);
    }
    let texts = |body: String| {
        let lines = body
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["text"].as_str().unwrap().to_owned());
        lines.collect::<Vec<_>>()
    };
    let tail = settles(
        "the last two lines",
        SOON,
        async || texts(rest.get("/v1/functions/a/logs?tail=2").await.text()),
        |l| l.last().is_some_and(|last| last == "run 3"),
    );
    assert_eq!(tail.await, ["run 2", "run 3"]);
    let mut stream = rest.request("GET", "/v1/functions/a/logs?follow&tail=1").stream().await;
    assert_eq!(stream.value().await.unwrap()["text"], "run 3");
    let id = rest.invoke("a", "4").await.header("eventflow-invocation-id").to_owned();
    let live = stream.value().await.unwrap();
    assert_eq!((&live["text"], &live["invocationId"]), (&json!("run 4"), &json!(id)), "{live}");
}

#[tokio::test]
async fn a_watch_of_functions_begins_with_all_tells_changes_and_resumes() {
    // A token is good at the api that gave it; another one begins with all again.
    let server = Server::options().apis(1).start().await;
    let rest = server.rest().await;
    rest.apply(&echo("a")).await;
    settles(
        "a to be ready",
        SOON,
        async || rest.get("/v1/functions/a").await.json(),
        |f| f["state"] == "READY",
    )
    .await;
    let mut watch = rest.request("GET", "/v1/functions:watch").stream().await;
    let first = watch.value().await.unwrap();
    assert_eq!((&first["type"], &first["function"]["name"]), (&json!("CHANGED"), &json!("a")), "{first}");
    let synced = watch.value().await.unwrap();
    assert_eq!((&synced["type"], synced.get("function")), (&json!("SYNCED"), None), "{synced}");
    let token = synced["resumeToken"].as_str().expect("a resume token").to_owned();

    rest.apply(&echo("b")).await;
    let change = watch.value().await.unwrap();
    assert_eq!((&change["type"], &change["function"]["name"]), (&json!("CHANGED"), &json!("b")), "{change}");
    rest.delete("/v1/functions/a").await;
    let mut last = change;
    while last["type"] != "DELETED" {
        last = watch.value().await.unwrap();
    }
    assert_eq!(last["function"]["name"], "a", "{last}");

    let path = format!("/v1/functions:watch?resumeToken={token}");
    let mut again = rest.request("GET", &path).stream().await;
    let next = again.value().await.unwrap();
    assert_ne!(next["type"], "RESET", "a fresh token is good: {next}");
    assert_eq!(next["function"]["name"], "b", "it goes on behind the token: {next}");
    let forged = rest.get("/v1/functions:watch?resumeToken=forged").await;
    assert_eq!(
        (forged.status, &forged.json()["errors"][0]["field"]),
        (400, &json!("resumeToken")),
        "{forged:?}"
    );
}

#[tokio::test]
async fn a_watch_of_calls_tells_each_state_until_the_end() {
    let server = Server::start().await;
    let rest = server.rest().await;
    // Long enough to be seen running: states that follow each other at once are told as one.
    rest.apply(&shell("a", "sleep 1")).await;
    rest.apply(&echo("other")).await;
    let before = rest.invoke("a", "").await.header("eventflow-invocation-id").to_owned();
    rest.ended(&before).await;
    let mut watch = rest.request("GET", "/v1/invocations:watch?function=a&snapshot=5").stream().await;
    let first = watch.value().await.unwrap();
    assert_eq!(first["invocation"]["id"], before, "{first}");
    assert_eq!(watch.value().await.unwrap()["type"], "SYNCED");
    rest.invoke_async("other", "").await;
    let id = rest.invoke_async("a", "").await;
    let mut states = Vec::new();
    while states.last().is_none_or(|state| state != "SUCCEEDED") {
        let event = watch.value().await.unwrap();
        assert_eq!(event["invocation"]["id"], id, "calls of other functions are not told: {event}");
        states.push(event["invocation"]["state"].as_str().unwrap().to_owned());
    }
    assert!(states.len() >= 2 && states.contains(&"RUNNING".to_owned()), "{states:?}");
}

#[tokio::test]
async fn streams_end_cleanly_when_the_server_is_asked_to_stop() {
    let mut server = Server::options().set("grace=2s").start().await;
    let rest = server.rest().await;
    let mut watch = rest.request("GET", "/v1/functions:watch").stream().await;
    assert_eq!(watch.value().await.unwrap()["type"], "SYNCED");
    let (ended, last) = tokio::join!(server.stop(), async {
        let mut last = None;
        while let Some(value) = watch.value().await {
            last = Some(value);
        }
        last
    });
    assert!(ended.success(), "{ended:?}");
    assert!(
        last.is_none_or(|last| last["error"]["reason"] == "ShuttingDown" || last["error"]["status"] == 503),
        "it says why"
    );
}
