//! Every answer of a call names it, and a call that has not ended is not replayed.

use super::in_state;
use eventflow_e2e::support::{echo, server as server_function, shell, shell_with};
use eventflow_e2e::wait::{SOON, within};
use eventflow_e2e::{Answer, Server};
use eventflow_proto::status::Problem;
use eventflow_proto::v1;
use serde_json::json;
use tonic::Code;

fn named(answer: &Answer) -> [&str; 3] {
    ["eventflow-invocation-id", "eventflow-version", "eventflow-attempt"].map(|name| answer.header(name))
}

#[tokio::test]
async fn failed_and_unfinished_answers_name_their_call_in_headers() {
    let server = Server::start().await;
    let rest = server.rest().await;
    let retry = json!({"maxAttempts": 2, "backoff": {"initial": "20ms", "jitter": 0}});
    rest.apply(&shell_with("fails", "exit 3", json!({"retry": retry}))).await;
    rest.apply(&shell_with("hangs", "sleep 30", json!({"timeout": "1s"}))).await;
    rest.apply(&shell("slow", "sleep 1.5")).await;
    rest.apply(&shell("slow", "sleep 1.6")).await;
    for (name, status) in [("fails", 502), ("hangs", 504)] {
        let failed = rest.invoke(name, "").await;
        let metadata = failed.json()["metadata"].clone();
        assert_eq!(failed.status, status, "{failed:?}");
        let told =
            ["invocationId", "version", "attempt"].map(|fact| metadata[fact].as_str().unwrap_or_default());
        assert_eq!(named(&failed), told, "{failed:?}");
        let record = rest.ended(told[0]).await;
        assert_eq!(told[1..], [record["version"].to_string(), record["attempt"].to_string()], "{record}");
    }
    let late = rest.request("POST", "/v1/functions/slow:invoke?wait=300ms").send().await;
    let id = late.json()["id"].as_str().unwrap_or_default().to_owned();
    assert_eq!((late.status, named(&late)), (202, [id.as_str(), "2", "1"]), "{late:?}");
    let queued = rest.request("POST", "/v1/functions/slow:invoke?delay=1h").send().await;
    let id = queued.json()["id"].as_str().unwrap_or_default().to_owned();
    assert_eq!((queued.status, named(&queued)), (202, [id.as_str(), "2", "0"]), "{queued:?}");
}

#[tokio::test]
async fn a_call_that_has_not_ended_is_not_replayed() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&shell("slow", "sleep 60")).await;
    let running = rest.invoke_async("slow", "x").await;
    in_state(&rest, &running, "RUNNING").await;
    let queued = rest.request("POST", "/v1/functions/slow:invoke?delay=1h").body("x").send().await;
    let queued = queued.json()["id"].as_str().unwrap().to_owned();
    let mut grpc = server.grpc().await.invocations();
    for (id, state) in [(&running, "RUNNING"), (&queued, "QUEUED")] {
        let refused = rest.post(&format!("/v1/invocations/{id}:replay"), &json!({})).await;
        assert_eq!((refused.status, refused.reason().as_str()), (409, "WrongState"), "{refused:?}");
        assert_eq!(refused.json()["metadata"]["state"], state, "{refused:?}");
        let request = v1::ReplayInvocationRequest { id: id.clone(), ..Default::default() };
        let refused = grpc.replay_invocation(request).await.expect_err("it has not ended");
        let problem = Problem::from(&refused);
        assert_eq!((refused.code(), problem.reason.as_str()), (Code::FailedPrecondition, "WrongState"));
        assert_eq!(problem.metadata["state"], state, "{refused:?}");
    }
    let replays = rest.get("/v1/invocations?source=REPLAY").await.json();
    assert_eq!(replays["invocations"], json!([]), "nothing was made");
    for id in [&running, &queued] {
        rest.post(&format!("/v1/invocations/{id}:cancel"), &json!({})).await;
        rest.ended(id).await;
        let replay = rest.post(&format!("/v1/invocations/{id}:replay"), &json!({})).await;
        assert_eq!(replay.status, 200, "{replay:?}");
        let new = replay.json()["id"].as_str().unwrap().to_owned();
        rest.post(&format!("/v1/invocations/{new}:cancel"), &json!({})).await;
    }
}

#[tokio::test]
async fn a_sync_call_is_replayed_as_soon_as_its_answer_is_there() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&shell("a", "sleep 0.25; cat")).await;
    rest.apply(&echo("b")).await;
    for (name, key) in [("a", None), ("b", None), ("a", Some("k")), ("b", Some("k"))] {
        let mut call = rest.request("POST", &format!("/v1/functions/{name}:invoke?wait=30s")).body("again");
        if let Some(key) = key {
            call = call.header("idempotency-key", key);
        }
        let answer = call.send().await;
        assert_eq!(answer.text(), "again", "{answer:?}");
        let path = format!("/v1/invocations/{}:replay", answer.header("eventflow-invocation-id"));
        let replay = rest.post(&path, &json!({})).await;
        assert_eq!(replay.status, 200, "{name} {key:?}: {replay:?}");
        assert_eq!(rest.ended(replay.json()["id"].as_str().unwrap()).await["resultText"], "again");
    }
}

#[tokio::test]
async fn an_error_names_a_call_in_the_same_words_everywhere() {
    let server = Server::start().await;
    let rest = server.rest().await;
    let command = json!(["/bin/sh", "-c", "exit 7"]);
    let broken = json!({"name": "broken", "runtime": "process", "mode": "http", "port": 80, "startDeadline": "1s",
                        "command": command});
    rest.apply(&broken).await;
    let url = within("an answer", SOON, rest.get("/fn/default/broken/")).await;
    let invoke = within("an answer", SOON, rest.invoke("broken", "")).await;
    for answer in [&url, &invoke] {
        assert!(matches!(answer.status, 502 | 504), "{answer:?}");
        assert_eq!(answer.reason(), "FunctionFailed", "{answer:?}");
        let metadata = &answer.json()["metadata"];
        assert!(metadata["functionReason"].is_string(), "{answer:?}");
        let told =
            ["invocationId", "version", "attempt"].map(|fact| metadata[fact].as_str().unwrap_or_default());
        assert_eq!(named(answer), told, "{answer:?}");
        assert_eq!(rest.ended(told[0]).await["reason"], metadata["functionReason"], "{answer:?}");
    }
    rest.apply(&echo("a")).await;
    let keyed = |body: &'static str| {
        let call = rest.request("POST", "/v1/functions/a:invoke").header("idempotency-key", "k");
        call.body(body).send()
    };
    let first = keyed("x").await.json()["id"].clone();
    let other = keyed("y").await;
    assert_eq!((other.status, &other.json()["metadata"]["invocationId"]), (422, &first), "{other:?}");
}

#[tokio::test]
async fn a_url_names_its_call_and_its_attempt() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&server_function("web", json!({}))).await;
    let answer = within("an answer", SOON, rest.get("/fn/default/web/x")).await;
    let [id, version, attempt] = named(&answer);
    assert_eq!((answer.status, version, attempt), (200, "1", "1"), "{answer:?}");
    let record = rest.get(&format!("/v1/invocations/{id}?wait=10s")).await.json();
    assert_eq!((&record["source"], &record["attempt"]), (&json!("URL"), &json!(1)), "{record}");
}
