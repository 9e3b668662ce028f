use crate::fake::{accepted, gateway, gateway_with, request};
use axum::body::Body;
use eventflow_domain::ids::{Epoch, FunctionUid};
use eventflow_domain::invocation::{Failure, Reason, Source, Stored};
use eventflow_domain::lifecycle::Lifecycle;
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{
    Bytes, FunctionKey, Invocation, InvocationId, Result, State, Timestamp, VersionNumber,
};
use eventflow_gateway::{GatewayConfig, InvokeAnswer, RawInvoke};
use pretty_assertions::assert_eq;
use serde_json::json;
use std::time::Duration;

fn invocation(request: &RawInvoke, state: State) -> Box<Invocation> {
    Box::new(Invocation {
        id: InvocationId::generate(),
        function: FunctionKey::new(request.namespace.clone(), request.name.clone()),
        function_uid: FunctionUid::generate(),
        version: VersionNumber(4),
        lifecycle: Lifecycle {
            state,
            epoch: Epoch(1),
            attempts: 2,
            lost: 0,
            not_before: Timestamp::default(),
            cancel_requested: false,
            dead_letter: false,
        },
        source: Source::Sync,
        caller: "admin".into(),
        replay_of: None,
        trace: TraceContext::generate(),
        payload: Stored::NOTHING,
        result: Stored { content_type: Some("text/plain".into()), ..Stored::NOTHING },
        http_status: None,
        failure: None,
        created_at: Timestamp::default(),
        started_at: None,
        ended_at: None,
        attempts: Vec::new(),
        logs_truncated: false,
        start: None,
    })
}

/// What the fake answers, by the function's name.
pub(crate) fn answer(request: &RawInvoke) -> Result<InvokeAnswer> {
    if request.wait.is_none() {
        return match request.name.as_str() {
            "none" => Err(eventflow_domain::Error::function_not_found(&request.name)),
            _ => Ok(accepted()),
        };
    }
    let mut ended = invocation(request, State::Succeeded);
    let failure = |reason, message: &str| Some(Failure::new(reason, message));
    match request.name.as_str() {
        "teapot" => ended.http_status = Some(418),
        "fails" => {
            ended.lifecycle.state = State::Failed;
            ended.failure = failure(Reason::ExitCode, "exit code 3");
        }
        "sleeps" => {
            ended.lifecycle.state = State::Failed;
            ended.failure = failure(Reason::Timeout, "ran longer than 30s");
        }
        _ => {}
    }
    Ok(InvokeAnswer::Finished { invocation: ended, body: Bytes::from_static(b"done") })
}

#[tokio::test]
async fn a_call_is_accepted_with_its_id_and_place() {
    let gateway = gateway();
    let call = request("POST", "/v1/functions/hello:invoke?delay=5m&version=2")
        .header("content-type", "image/png")
        .header("idempotency-key", "k-1")
        .header("authorization", "Bearer t")
        .header("x-own", "1")
        .header("connection", "x-hop")
        .header("x-hop", "1");
    let got = gateway.send(call.body(Body::from("bytes")).unwrap()).await;
    let id = got.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!((got.status, got.json()), (202, json!({"id": id, "state": "QUEUED"})));
    assert_eq!(got.header("location"), format!("/v1/invocations/{id}"));
    let named =
        ["eventflow-invocation-id", "eventflow-version", "eventflow-attempt"].map(|name| got.header(name));
    assert_eq!(named, [&*id, "2", "0"]);
    let seen = gateway.fake.0.invoked.lock().unwrap().pop().expect("a call");
    assert_eq!(
        (seen.namespace.as_str(), seen.name.as_str(), &seen.body[..]),
        ("default", "hello", &b"bytes"[..])
    );
    assert_eq!(
        (seen.delay, seen.version, seen.wait),
        (Some(Duration::from_secs(300)), Some(VersionNumber(2)), None)
    );
    assert_eq!(
        (seen.content_type.as_deref(), seen.idempotency_key.as_deref()),
        (Some("image/png"), Some("k-1"))
    );
    assert_eq!(seen.authorization.expect("a token"), "Bearer t");
    assert_eq!(seen.headers.keys().map(http::HeaderName::as_str).collect::<Vec<_>>(), ["x-own"]);
    let named = gateway.json("POST", "/v1/namespaces/media/functions/hello:invoke", "").await;
    assert_eq!(named.status, 202);
    assert_eq!(gateway.fake.0.invoked.lock().unwrap().pop().expect("a call").namespace.as_str(), "media");
}

#[tokio::test]
async fn a_sync_answer_is_the_functions_own() {
    let gateway = gateway();
    let done = gateway.json("POST", "/v1/functions/hello:invoke?wait=10s", "").await;
    assert_eq!((done.status, &done.body[..], done.header("content-type")), (200, &b"done"[..], "text/plain"));
    assert_eq!((done.header("eventflow-version"), done.header("eventflow-attempt")), ("4", "2"));
    assert!(!done.header("eventflow-invocation-id").is_empty());
    assert_eq!(done.header("content-security-policy"), "sandbox");
    assert_eq!(gateway.json("POST", "/v1/functions/teapot:invoke?wait=1s", "").await.status, 418);
    let failed = gateway.json("POST", "/v1/functions/fails:invoke?wait=1s", "").await;
    let problem = failed.json();
    assert_eq!((failed.status, problem["reason"].as_str()), (502, Some("FunctionFailed")));
    assert_eq!(problem["detail"], "function fails failed: exit code 3");
    assert_eq!(problem["metadata"]["functionReason"], "ExitCode");
    assert!(problem["metadata"]["invocationId"].as_str().is_some_and(|id| id.len() == 36));
    let late = gateway.json("POST", "/v1/functions/sleeps:invoke?wait=1s", "").await;
    assert_eq!(late.status, 504);
    for answer in [&failed, &late] {
        let metadata = &answer.json()["metadata"];
        for (header, fact, value) in [
            ("eventflow-invocation-id", "invocationId", metadata["invocationId"].as_str().expect("an id")),
            ("eventflow-version", "version", "4"),
            ("eventflow-attempt", "attempt", "2"),
        ] {
            assert_eq!((answer.header(header), metadata[fact].as_str()), (value, Some(value)), "{fact}");
        }
    }
    let record = gateway.json("POST", "/v1/functions/fails:invoke?wait=1s&record=true", "").await;
    assert_eq!((record.status, record.json()["state"].as_str()), (200, Some("FAILED")));
    assert_eq!(
        (record.json()["reason"].as_str(), record.json()["version"].as_i64()),
        (Some("ExitCode"), Some(4))
    );
}

#[tokio::test]
async fn bad_calls_are_refused_before_they_are_made() {
    let gateway = gateway_with(GatewayConfig { payload_limit: 10, ..GatewayConfig::default() });
    let rows = [
        ("hello:invoke?wiat=1s", 400, "did you mean \\\"wait\\\"?"),
        ("hello:invoke?wait=5x", 400, "must be a duration"),
        ("hello:invoke?wait=-1s", 400, "must be a duration"),
        ("hello:invoke?wait=11m", 400, "must be at most 10m"),
        ("hello:invoke?delay=31d", 400, "must be at most 720h"),
        ("hello:invoke?wait=1s&wait=2s", 400, "is given twice"),
        ("hello:invoke?wait=1s&delay=1s", 400, "wait or delay"),
        ("hello:invoke?version=0", 400, "must be a version"),
        ("hello:invoke?record=maybe", 400, "must be true or false"),
        ("Hello:invoke", 400, "must contain lower-case letters"),
        ("-x:invoke", 400, "must start with"),
        ("..%2fx:invoke", 400, "must not contain '/'"),
        ("none:invoke", 404, "FunctionNotFound"),
    ];
    for (call, status, says) in rows {
        let got = gateway.json("POST", &format!("/v1/functions/{call}"), "").await;
        let text = String::from_utf8_lossy(&got.body).into_owned();
        assert!(got.status == status && text.contains(says), "{call}: {} {text}", got.status);
    }
    let large = gateway.json("POST", "/v1/functions/hello:invoke", "x".repeat(11)).await;
    assert_eq!((large.status, large.json()["metadata"]["limit"].as_str()), (413, Some("10")));
    for key in ["", &"k".repeat(256), "a\tb"] {
        let call = request("POST", "/v1/functions/hello:invoke").header("idempotency-key", key);
        assert_eq!(gateway.send(call.body(Body::empty()).unwrap()).await.status, 400, "{key:?}");
    }
    let wrong = gateway.get("/v1/functions/hello:invoke").await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, "POST"));
    assert_eq!(gateway.fake.0.invoked.lock().unwrap().len(), 1, "only the unknown function was asked for");
}

#[tokio::test]
async fn bodies_in_memory_have_a_budget() {
    let gateway = gateway_with(GatewayConfig { buffered_limit: 4096, ..GatewayConfig::default() });
    let got = gateway
        .send(
            request("POST", "/v1/functions/hello:invoke")
                .header("content-length", "5000")
                .body(Body::from("x".repeat(5000)))
                .unwrap(),
        )
        .await;
    assert_eq!((got.status, got.json()["reason"].as_str()), (429, Some("BufferBudgetExhausted")));
    assert_eq!(got.header("retry-after"), "1");
    for _ in 0..10 {
        let call = request("POST", "/v1/functions/hello:invoke").header("content-length", "4000");
        assert_eq!(
            gateway.send(call.body(Body::from("x".repeat(4000))).unwrap()).await.status,
            202,
            "given back"
        );
    }
}
