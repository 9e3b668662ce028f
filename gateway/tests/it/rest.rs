//! reliability.md §3, the rows on transport and JSON.

use crate::fake::{gateway, gateway_with, request};
use axum::body::Body;
use eventflow_auth::origin::HostPolicy;
use eventflow_gateway::GatewayConfig;
use eventflow_proto::v1::{FunctionState, Mode, Runtime};
use pretty_assertions::assert_eq;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn apply_creates_with_201_a_location_and_an_etag_and_updates_with_200() {
    let gateway = gateway();
    let created = gateway.json("POST", "/v1/functions", r#"{"name":"hello","runtime":"process"}"#).await;
    assert_eq!((created.status, created.header("location")), (201, "/v1/namespaces/default/functions/hello"));
    assert_eq!((created.header("etag"), created.header("content-type")), ("\"u-7\"", "application/json"));
    let wanted = json!({
        "name": "hello", "namespace": "default", "runtime": "PROCESS", "egress": [], "command": [], "args": [],
        "envFrom": [], "imagePullSecrets": [], "tolerations": [], "conditions": [], "copies": [], "events": [], "state": "READY", "version": 3,
        "generation": "7", "etag": "u-7",
    });
    assert_eq!(created.json(), wanted);
    let updated = gateway
        .json(
            "PUT",
            "/v1/namespaces/media/functions/old?dry_run=true",
            r#"{"envFrom":[{"secretRef":{"name":"k"}}],"env_from":null}"#,
        )
        .await;
    assert_eq!(updated.status, 400, "the same field twice");
    let body = r#"{"env":{"A":"1"},"retry":{"max_attempts":4,"backoff":{"factor":2}},"mode":"MODE_HTTP","runtime":"wasm"}"#;
    let dry = gateway.json("PUT", "/v1/functions/new?dryRun=true", "{}").await;
    assert_eq!((dry.status, dry.header("location")), (200, ""), "nothing is there yet");
    let updated = gateway.json("PUT", "/v1/namespaces/media/functions/old?dry_run=true", body).await;
    assert_eq!((updated.status, updated.header("location")), (200, ""));
    let seen = gateway.fake.0.applied.lock().unwrap().pop().expect("a request");
    let function = seen.function.expect("a function");
    assert_eq!((seen.namespace.as_str(), seen.name.as_str(), seen.dry_run), ("media", "old", true));
    assert_eq!((function.mode(), function.runtime()), (Mode::Http, Runtime::Wasm));
    assert_eq!(
        function.retry.map(|retry| (retry.max_attempts, retry.backoff.and_then(|b| b.factor))),
        Some((4, Some(2.0)))
    );
}

#[tokio::test]
async fn preconditions_are_headers() {
    let gateway = gateway();
    let send = |name: &'static str, value: &'static str| {
        let request = request("PUT", "/v1/functions/old")
            .header(name, value)
            .header("content-type", "application/json");
        gateway.send(request.body(Body::from("{}")).unwrap())
    };
    let stale = send("if-match", "\"stale\"").await;
    assert_eq!((stale.status, stale.json()["metadata"]["version"].as_str()), (412, Some("3")));
    assert_eq!(send("if-none-match", "*").await.status, 200);
    assert!(gateway.fake.0.applied.lock().unwrap().last().expect("a request").create_only);
    let fresh =
        request("GET", "/v1/functions/hello").header("if-none-match", "\"u-7\"").body(Body::empty()).unwrap();
    let fresh = gateway.send(fresh).await;
    assert_eq!((fresh.status, fresh.body.len()), (304, 0));
}

#[tokio::test]
async fn every_bad_body_has_its_answer() {
    let gateway = gateway();
    let deep = "[".repeat(10_000);
    let many = format!("{{\"command\":[{}1]}}", "1,".repeat(100_001));
    let rows: [(&str, &[u8], u16, &str); 16] = [
        ("syntax", b"{\"name\": }", 400, "line 1 column 10"),
        ("cut off", b"{\"name\":", 400, "line 1 column 8"),
        ("trailing", b"{} {}", 400, "trailing characters"),
        ("unknown", b"{\"iamge\": \"x\"}", 400, "unknown field \\\"iamge\\\", did you mean \\\"image\\\"?"),
        ("nested unknown", b"{\"retry\": {\"maxAttemps\": 1}}", 400, "retry.maxAttemps"),
        ("duplicate", b"{\"name\": \"a\", \"name\": \"b\"}", 400, "is given twice"),
        ("duplicate key", b"{\"env\": {\"A\": \"1\", \"A\": \"2\"}}", 400, "env.A"),
        ("wrong type", b"{\"env\": [1]}", 422, "must be an object, is a list"),
        ("wrong inner type", b"{\"command\": [\"a\", 1]}", 422, "command[1]"),
        ("not an object", b"[]", 422, "must be an object, is a list"),
        ("range", b"{\"port\": 99999999999}", 400, "must be an integer of 32 bits"),
        (
            "enum",
            b"{\"runtime\": \"wsam\"}",
            400,
            "did you mean \\\"WASM\\\"? (one of CONTAINER, WASM, PROCESS)",
        ),
        ("deep", deep.as_bytes(), 400, "recursion limit"),
        ("many", many.as_bytes(), 400, "more than 100000 values"),
        ("not UTF-8", b"{\"name\": \"\xff\"}", 400, "not UTF-8 at byte 10"),
        ("NUL", b"{\"name\": \"a\\u0000b\"}", 400, "must not contain NUL (byte 1)"),
    ];
    for (case, body, status, says) in rows {
        let got = gateway.json("POST", "/v1/functions", body.to_vec()).await;
        let text = String::from_utf8_lossy(&got.body).into_owned();
        assert_eq!(got.status, status, "{case}: {text}");
        assert_eq!(got.header("content-type"), "application/problem+json", "{case}");
        assert!(text.contains(says), "{case}: {text}");
    }
    let surrogate = gateway.json("POST", "/v1/functions", r#"{"name": "\ud800"}"#).await;
    assert_eq!(surrogate.status, 400);
    assert!(gateway.fake.0.applied.lock().unwrap().is_empty(), "nothing bad reaches the service");
}

#[tokio::test]
async fn a_problem_names_field_reason_path_and_request() {
    let gateway = gateway();
    let bad = request("POST", "/v1/functions")
        .header("x-request-id", "r-1")
        .header("content-type", "application/json");
    let bad = gateway.send(bad.body(Body::from(r#"{"tiemout": "1s"}"#)).unwrap()).await;
    let description = "unknown field \"tiemout\", did you mean \"timeout\"?";
    let wanted = json!({
        "type": "urn:eventflow:problem:Invalid", "title": "Bad Request", "status": 400,
        "detail": format!("tiemout: {description}"), "instance": "/v1/functions", "reason": "Invalid",
        "errors": [{"field": "tiemout", "description": description}], "requestId": "r-1",
    });
    assert_eq!(bad.json(), wanted);
    assert_eq!((bad.header("x-request-id"), bad.header("x-content-type-options")), ("r-1", "nosniff"));
}

#[tokio::test]
async fn content_types_encodings_and_sizes_are_bounded() {
    let gateway =
        gateway_with(GatewayConfig { json_limit: 100, payload_limit: 1000, ..GatewayConfig::default() });
    let send = |name: &'static str, value: &'static str, body: Body| {
        gateway.send(request("POST", "/v1/functions").header(name, value).body(body).unwrap())
    };
    let form = send("content-type", "application/x-www-form-urlencoded", Body::from("{}")).await;
    assert_eq!((form.status, form.json()["reason"].as_str()), (415, Some("UnsupportedMediaType")));
    assert_eq!(send("content-encoding", "gzip", Body::from("x")).await.status, 415);
    assert_eq!(
        send("content-type", "application/json; charset=utf-8", Body::from("{\"name\":\"a\"}")).await.status,
        201
    );
    let said = send("content-length", "101", Body::from("x".repeat(101))).await;
    assert_eq!((said.status, said.json()["metadata"].clone()), (413, json!({"limit": "100", "size": "101"})));
    let chunks = futures::stream::iter((0..3).map(|_| Ok::<_, std::io::Error>("x".repeat(60))));
    assert_eq!(send("accept", "*/*", Body::from_stream(chunks)).await.status, 413);
    let broken = futures::stream::iter([Ok("{"), Err(std::io::Error::other("reset"))]);
    assert_eq!(send("accept", "*/*", Body::from_stream(broken)).await.json()["reason"], "BodyBrokeOff");
    assert!(gateway.fake.0.applied.lock().unwrap().len() == 1, "no half body is applied");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_drips_is_given_up() {
    let gateway = gateway();
    let drip = futures::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Some((Ok::<_, std::io::Error>(" "), ()))
    });
    let got = gateway.json("POST", "/v1/functions", Body::from_stream(drip)).await;
    assert_eq!((got.status, got.json()["reason"].as_str()), (408, Some("BodyTimeout")));
    let got = gateway
        .json(
            "POST",
            "/v1/functions",
            Body::from_stream(futures::stream::pending::<Result<&str, std::io::Error>>()),
        )
        .await;
    assert_eq!(got.status, 408);
}

#[tokio::test]
async fn queries_know_their_fields() {
    let gateway = gateway();
    let got = gateway
        .get("/v1/functions?pageSize=5&runtime=wasm&state=FUNCTION_STATE_READY&name_contains=a+b%2B")
        .await;
    assert_eq!((got.status, got.json()), (200, json!({"functions": []})));
    let seen = gateway.fake.0.listed.lock().unwrap().pop().expect("a request");
    assert_eq!(
        (seen.page_size, seen.runtime(), seen.state()),
        (Some(5), Runtime::Wasm, FunctionState::Ready)
    );
    assert_eq!(seen.name_contains, "a b+");
    let rows = [
        ("page_sise=1", "unknown query parameter \\\"page_sise\\\", did you mean \\\"pageSize\\\"?"),
        ("pageSize=x", "must be an integer of 32 bits"),
        ("pageSize=99999999999", "must be an integer of 32 bits"),
        ("pageSize=1&page_size=2", "is given twice"),
        ("runtime=wsam", "did you mean \\\"WASM\\\"?"),
        ("pageToken=%zz", "broken percent escape"),
        ("pageToken=%ff", "is not UTF-8"),
        ("pageToken=%00", "must not contain NUL"),
        ("page.size=1", "unknown query parameter"),
    ];
    for (query, says) in rows {
        let got = gateway.get(&format!("/v1/functions?{query}")).await;
        let text = String::from_utf8_lossy(&got.body).into_owned();
        assert!(got.status == 400 && text.contains(says), "{query}: {} {text}", got.status);
    }
    let twice = gateway.get("/v1/namespaces/a/functions?namespace=b").await;
    assert!(twice.status == 400 && String::from_utf8_lossy(&twice.body).contains("given by the path"));
}

#[tokio::test]
async fn odd_paths_and_methods_have_their_answers() {
    let gateway = gateway();
    let rows = [
        ("GET", "/v1/nothing", 404),
        ("GET", "/", 404),
        ("GET", "/v1//functions", 404),
        ("GET", "/v1/functions/", 404),
        ("GET", "/v1/functions/a/b", 404),
        ("GET", "/v1/functions/..%2f..%2fetc", 400),
        ("GET", "/v1/functions/%252e", 400),
        ("GET", "/v1/functions/a%2Fb", 400),
        ("GET", "/v1/functions/a%00", 400),
        ("POST", "/v1/functions/hello:invke", 404),
        ("PATCH", "/v1/functions/hello", 405),
        ("HEAD", "/v1/functions/hello", 200),
        ("HEAD", "/v1/functions:watch", 405),
    ];
    for (method, path, status) in rows {
        let got = gateway.send(request(method, path).body(Body::empty()).unwrap()).await;
        assert_eq!(got.status, status, "{method} {path}: {:?}", got.body);
    }
    let other = gateway.send(request("PATCH", "/v1/functions/hello").body(Body::empty()).unwrap()).await;
    assert_eq!(other.header("allow"), "DELETE, GET, HEAD, PUT");
    let verb = gateway.send(request("POST", "/v1/functions/hello:invke").body(Body::empty()).unwrap()).await;
    assert!(verb.json()["detail"].as_str().unwrap().contains("did you mean \":invoke\""));
}

#[tokio::test]
async fn errors_of_services_keep_their_status_reason_and_hints() {
    let gateway = gateway();
    let missing = gateway.get("/v1/functions/none").await;
    assert_eq!((missing.status, missing.json()["reason"].as_str()), (404, Some("FunctionNotFound")));
    let busy = gateway.get("/v1/functions/busy").await;
    assert_eq!((busy.status, busy.header("retry-after")), (429, "3"));
    let paused = gateway.json("POST", "/v1/functions/paused:pause", "{}").await;
    assert_eq!((paused.status, paused.json()["metadata"]["state"].as_str()), (409, Some("PAUSED")));
    let down = gateway.json("POST", "/v1/functions/a:resume", "").await;
    assert_eq!((down.status, down.header("retry-after")), (503, "1"));
    let who = gateway.json("POST", "/v1/functions/a:rollback", "{\"version\": \"2\"}").await;
    assert!(who.status == 401 && who.header("www-authenticate").starts_with("Bearer"));
    assert_eq!(gateway.get("/v1/functions/a/versions").await.status, 403);
    let gone = gateway.send(request("DELETE", "/v1/functions/a").body(Body::empty()).unwrap()).await;
    assert_eq!((gone.status, gone.json()), (200, json!({"cancelled": "9007199254740993"})));
}

#[tokio::test]
async fn a_panic_ends_one_request() {
    let gateway = gateway();
    let got = gateway.get("/v1/functions/panics").await;
    assert_eq!((got.status, got.json()["reason"].as_str()), (500, Some("Internal")));
    assert!(!String::from_utf8_lossy(&got.body).contains("on purpose"));
    assert_eq!(gateway.get("/v1/functions/hello").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn deadlines_are_kept() {
    let gateway = gateway();
    let send = |timeout: &'static str| {
        gateway.send(
            request("GET", "/v1/functions/slow").header("grpc-timeout", timeout).body(Body::empty()).unwrap(),
        )
    };
    for (timeout, status) in
        [("100m", 504), ("0S", 504), ("-1S", 400), ("soon", 400), ("", 400), ("99999999H", 500)]
    {
        assert_eq!(send(timeout).await.status, status, "{timeout:?}");
    }
}

#[tokio::test]
async fn metadata_goes_both_ways_and_no_further_than_it_should() {
    let gateway = gateway();
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let asked = request("GET", "/v1/functions/hello")
        .header("authorization", "Bearer x")
        .header("cookie", "a=b")
        .header("x-forwarded-for", "6.6.6.6")
        .header("traceparent", traceparent);
    let got = gateway.send(asked.body(Body::empty()).unwrap()).await;
    let seen = gateway.fake.0.metadata.lock().unwrap().pop().expect("metadata");
    assert_eq!(
        (seen["authorization"].to_str().unwrap(), seen["traceparent"].to_str().unwrap()),
        ("Bearer x", traceparent)
    );
    assert!(!seen.contains_key("cookie") && !seen.contains_key("x-forwarded-for"));
    assert_eq!((got.header("eventflow-note"), got.header("x-internal")), ("hello", ""));
    assert_eq!(got.header("x-request-id"), "4bf92f3577b34da6a3ce929d0e0e4736");
}

#[tokio::test]
async fn hosts_origins_and_headers_are_guarded() {
    let gateway = gateway_with(GatewayConfig {
        hosts: HostPolicy {
            loopback: true,
            origins: vec!["https://ui.example".to_owned()],
            ..HostPolicy::default()
        },
        ..GatewayConfig::default()
    });
    let send = |name: &'static str, value: String| {
        let mut request = request("GET", "/v1/functions").body(Body::empty()).unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
        gateway.send(request)
    };
    assert_eq!(send("host", "evil.example".to_owned()).await.status, 421);
    assert_eq!(send("host", "127.0.0.1:8080".to_owned()).await.status, 200);
    assert_eq!(send("origin", "https://evil.example".to_owned()).await.status, 403);
    assert_eq!(send("origin", "null".to_owned()).await.status, 403);
    let allowed = send("origin", "https://ui.example".to_owned()).await;
    assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (200, "https://ui.example"));
    for name in ["grpc-status", "grpc-status-details-bin", "location", "eventflow-invocation-id"] {
        assert!(allowed.header("access-control-expose-headers").contains(name), "{name}");
    }
    assert_eq!(send("x-long", "x".repeat(17 << 10)).await.status, 431);
    let mut many = request("GET", "/v1/functions").body(Body::empty()).unwrap();
    for number in 0..101 {
        many.headers_mut().append("x-many", number.into());
    }
    assert_eq!(gateway.send(many).await.status, 431);
}

#[tokio::test]
async fn uploads_stream_in_pieces_and_break_off_as_such() {
    let gateway = gateway_with(GatewayConfig { artifact_limit: 300_000, ..GatewayConfig::default() });
    let send = |body: Body| {
        gateway.send(
            request("POST", "/v1/namespaces/media/artifacts")
                .header("content-type", "application/wasm")
                .body(body)
                .unwrap(),
        )
    };
    let stored = send(Body::from(vec![7; 200_000])).await;
    assert_eq!((stored.status, stored.json()), (200, json!({"digest": "sha256:00", "size": "200000"})));
    let seen = gateway.fake.0.uploads.lock().unwrap().pop().expect("an upload").expect("whole");
    assert_eq!(seen, ("media|application/wasm".to_owned(), 200_000, 64 << 10));
    assert_eq!(send(Body::empty()).await.status, 200);
    assert_eq!(gateway.fake.0.uploads.lock().unwrap().pop().expect("an upload").expect("whole").1, 0);
    let chunks = futures::stream::iter((0..4).map(|_| Ok::<_, std::io::Error>(vec![1; 100_000])));
    assert_eq!(send(Body::from_stream(chunks)).await.status, 413);
    let broken = futures::stream::iter([Ok(vec![1; 100]), Err(std::io::Error::other("reset"))]);
    assert_eq!(send(Body::from_stream(broken)).await.status, 400);
    let uploads = gateway.fake.0.uploads.lock().unwrap();
    assert!(uploads.iter().all(Result::is_err), "a broken upload is never whole: {uploads:?}");
}
