//! Calls that cannot be made (rows 2 to 7 and 19 to 24).

use super::{Scene, check, invalid, refusal};
use eventflow_e2e::Server;
use eventflow_e2e::support::{echo, shell, shell_with};
use serde_json::json;

const NOBODY: &str = "01890000-0000-7000-8000-000000000000";

#[tokio::test]
async fn what_does_not_exist_is_404_at_once_and_the_same_in_every_namespace() {
    let scene = Scene::start().await;
    let rest = &scene.rest;
    let team = rest
        .put("/v1/namespaces/team/functions/hidden", &json!({"runtime": "process", "command": ["cat"]}))
        .await;
    assert_eq!(team.status, 201, "{team:?}");
    let work = async {
        for query in ["", "?wait=5s", "?delay=1h"] {
            let answer =
                rest.request("POST", &format!("/v1/functions/hidden:invoke{query}")).body("x").send().await;
            check(query, &answer, refusal(404, "FunctionNotFound", &["hidden"]));
        }
        for (method, path) in [
            ("GET", "/v1/functions/nobody"),
            ("DELETE", "/v1/functions/nobody"),
            ("POST", "/v1/functions/nobody:pause"),
            ("GET", "/v1/functions/nobody/versions"),
            ("GET", "/v1/functions/nobody/logs"),
            ("GET", "/fn/default/nobody/x"),
            ("GET", "/fn/nowhere/nobody"),
        ] {
            let answer = rest.request(method, path).send().await;
            check(&format!("{method} {path}"), &answer, refusal(404, "FunctionNotFound", &["nobody"]));
        }
        for (method, tail) in [
            ("GET", ""),
            ("GET", "/result"),
            ("GET", "/payload"),
            ("GET", "/logs"),
            ("POST", ":cancel"),
            ("POST", ":replay"),
        ] {
            let unknown = rest.request(method, &format!("/v1/invocations/{NOBODY}{tail}")).send().await;
            check(tail, &unknown, refusal(404, "InvocationNotFound", &[NOBODY]));
            for bad in ["nonsense", "0", "01890000-0000-7000-8000-00000000000g"] {
                let answer = rest.request(method, &format!("/v1/invocations/{bad}{tail}")).send().await;
                check(&format!("{bad}{tail}"), &answer, invalid(&["id"], &[]));
            }
        }
    };
    scene.unchanged(work).await;
}

#[tokio::test]
async fn a_call_of_another_namespace_looks_like_one_that_is_not_there() {
    let scene = Scene::start().await;
    let rest = &scene.rest;
    let id = rest.invoke_async("a", "x").await;
    rest.ended(&id).await;
    let unnamed = |text: String| text.replace(&id, "ID").replace(NOBODY, "ID");
    let there = rest.get(&format!("/v1/namespaces/team/invocations/{id}")).await;
    let nowhere = rest.get(&format!("/v1/namespaces/team/invocations/{NOBODY}")).await;
    check("another namespace", &there, refusal(404, "InvocationNotFound", &[]));
    let without_request = |answer: &eventflow_e2e::Answer| {
        let mut problem = answer.json();
        problem.as_object_mut().unwrap().remove("requestId");
        unnamed(problem.to_string())
    };
    assert_eq!(without_request(&there), without_request(&nowhere));
}

#[tokio::test]
async fn states_that_forbid_it_are_409_and_named() {
    let scene = Scene::start().await;
    let rest = &scene.rest;
    let id = rest.invoke_async("a", "x").await;
    rest.ended(&id).await;
    rest.apply(&shell("slow", "sleep 60")).await;
    let slow = rest.invoke_async("slow", "").await;
    rest.apply(&echo("held")).await;
    assert_eq!(rest.request("POST", "/v1/functions/held:pause").send().await.status, 200);
    let work = async {
        let cancel = rest.request("POST", &format!("/v1/invocations/{id}:cancel")).send().await;
        check("cancel what has ended", &cancel, refusal(409, "WrongState", &["SUCCEEDED"]));
        let early = rest.get(&format!("/v1/invocations/{slow}/result")).await;
        assert_eq!(early.status, 409, "the result of what has not ended: {early:?}");
        let alive = rest.post("/v1/invocations:redrive", &json!({"id": id})).await;
        check("redrive of what is no dead letter", &alive, refusal(409, "NoDeadLetter", &[&id]));
        for query in ["", "?wait=5s", "?delay=1h"] {
            let answer = rest.request("POST", &format!("/v1/functions/held:invoke{query}")).send().await;
            check("a paused function", &answer, refusal(409, "FunctionPaused", &["held"]));
        }
        let url = rest.get("/fn/default/a").await;
        check("the URL of a job", &url, refusal(409, "NoUrl", &[]));
    };
    scene.unchanged(work).await;
    assert_eq!(rest.request("POST", &format!("/v1/invocations/{slow}:cancel")).send().await.status, 200);
}

#[tokio::test]
async fn parameters_of_a_call_out_of_range_are_refused_with_the_field() {
    let scene = Scene::start().await;
    let long = "k".repeat(256);
    let work = async {
        for (what, query, field) in [
            ("a wait that is none", "?wait=soon", "wait"),
            ("a negative wait", "?wait=-1s", "wait"),
            ("a delay that is none", "?delay=5x", "delay"),
            ("a delay over the maximum", "?delay=100000h", "delay"),
            ("a delay that overflows", "?delay=99999999999999999999h", "delay"),
            ("wait beside delay", "?wait=1s&delay=1s", "delay"),
            ("a version that is none", "?version=x", "version"),
            ("a negative version", "?version=-1", "version"),
            ("an unknown parameter", "?wiat=1s", "wiat"),
            ("a parameter given twice", "?wait=1s&wait=2s", "wait"),
        ] {
            let answer =
                scene.rest.request("POST", &format!("/v1/functions/a:invoke{query}")).body("x").send().await;
            check(what, &answer, invalid(&[field], &[]));
        }
        for key in ["", long.as_str(), "caf\u{e9}", "a\tb"] {
            for query in ["", "?wait=5s"] {
                let call = scene.rest.request("POST", &format!("/v1/functions/a:invoke{query}"));
                let answer = call.header("idempotency-key", key).body("x").send().await;
                assert_eq!(
                    (answer.status, answer.reason().as_str()),
                    (400, "Invalid"),
                    "key {key:?}: {answer:?}"
                );
                assert!(answer.text().to_lowercase().contains("idempotency"), "key {key:?}: {answer:?}");
            }
        }
    };
    scene.unchanged(work).await;
}

#[tokio::test]
async fn lists_refuse_bad_sizes_tokens_and_filters() {
    let scene = Scene::start().await;
    let work = async {
        for list in ["functions", "invocations", "functions/a/versions"] {
            for (query, field) in [
                ("pageSize=-1", "pageSize"),
                ("pageSize=1000000000", "pageSize"),
                ("pageSize=many", "pageSize"),
                ("pageToken=forged", "pageToken"),
                ("pageToken=AAAAAAAAAAAAAAAA", "pageToken"),
                ("pageTokne=x", "pageTokne"),
            ] {
                let answer = scene.rest.get(&format!("/v1/{list}?{query}")).await;
                check(&format!("{list}?{query}"), &answer, invalid(&[field], &[]));
            }
        }
        for (query, field) in [
            ("state=FINE", "state"),
            ("deadLetter=maybe", "deadLetter"),
            ("createdAfter=yesterday", "createdAfter"),
            ("function=No_Name", "function"),
            ("replayOf=nonsense", "replayOf"),
        ] {
            let answer = scene.rest.get(&format!("/v1/invocations?{query}")).await;
            check(query, &answer, invalid(&[field], &[]));
        }
    };
    scene.unchanged(work).await;
}

#[tokio::test]
async fn a_payload_over_the_limit_is_refused_before_it_is_read() {
    let scene =
        Scene::of(Server::options().set("limits.payload=64Ki").set("limits.inline=1Ki").start().await).await;
    let size = (64 << 10) + 1;
    let work = async {
        for query in ["", "?wait=5s"] {
            let call = scene.rest.request("POST", &format!("/v1/functions/a:invoke{query}"));
            let answer = call.body(vec![b'x'; size]).send().await;
            check("too large", &answer, refusal(413, "TooLarge", &["65536", "65537"]));
            assert_eq!(answer.json()["metadata"], json!({"limit": "65536", "size": "65537"}));
        }
        let bomb = scene.rest.request("POST", "/v1/functions/a:invoke").header("content-encoding", "gzip");
        let bomb = bomb.body(vec![0x1f, 0x8b]).send().await;
        check("an encoded payload", &bomb, refusal(415, "UnsupportedEncoding", &[]));
        let declaration = json!({"name": "b", "runtime": "process", "command": ["x".repeat(2 << 20)]});
        let answer = scene.rest.post("/v1/functions", &declaration).await;
        assert_eq!(answer.status, 413, "{answer:?}");
    };
    scene.unchanged(work).await;
    let most = scene.rest.invoke("a", vec![b'x'; size - 1]).await;
    assert_eq!((most.status, most.body.len()), (200, size - 1), "the limit itself is fine");
}

#[tokio::test]
async fn a_key_belongs_to_one_payload_and_one_call_at_a_time() {
    let scene = Scene::start().await;
    let rest = &scene.rest;
    rest.apply(&shell_with("slow", "sleep 3; cat", json!({"concurrency": 1}))).await;
    let keyed = |name: &str, query: &str, key: &str, body: &'static str| {
        let call = rest.request("POST", &format!("/v1/functions/{name}:invoke{query}"));
        call.header("idempotency-key", key).body(body).send()
    };
    let first = keyed("a", "", "k", "x").await.json()["id"].clone();
    rest.ended(first.as_str().unwrap()).await;
    let running = keyed("slow", "", "r", "x").await.json()["id"].clone();
    let work = async {
        for query in ["", "?wait=5s"] {
            let other = keyed("a", query, "k", "y").await;
            check("another payload", &other, refusal(422, "KeyReused", &[first.as_str().unwrap()]));
        }
        let in_flight = keyed("slow", "?wait=100ms", "r", "x").await;
        check(
            "still running",
            &in_flight,
            refusal(409, "IdempotencyKeyInFlight", &[running.as_str().unwrap()]),
        );
    };
    scene.unchanged(work).await;
}
