//! Function URLs.

use crate::fake::{gateway, request, response};
use axum::body::Body;
use bytes::Bytes;
use eventflow_domain::ports::{Duplex, HttpResponse};
use eventflow_domain::{Error, ErrorKind, Result};
use eventflow_gateway::RawProxy;
use futures::FutureExt as _;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use pretty_assertions::assert_eq;
use tokio_util::compat::TokioAsyncReadCompatExt as _;

/// What the fake function answers, by its name.
pub(crate) fn answer(raw: RawProxy) -> Result<HttpResponse> {
    let mut headers = HeaderMap::new();
    match raw.name.as_str() {
        "none" => return Err(Error::function_not_found(&raw.name)),
        "crashes" | "hangs" => {
            let kind =
                if raw.name.as_str() == "hangs" { ErrorKind::Deadline } else { ErrorKind::Unavailable };
            let error = Error::new(kind, "FunctionFailed", "the connection broke");
            let error =
                error.with_metadata("invocationId", "an-id").with_metadata("functionReason", "NoAnswer");
            return Err(error.with_metadata("version", 3).with_metadata("attempt", 1));
        }
        _ => {}
    }
    if raw.request.upgrade {
        let (ours, theirs) = tokio::io::duplex(64);
        headers.insert(header::UPGRADE, HeaderValue::from_static("echo"));
        let mut switched = response(StatusCode::SWITCHING_PROTOCOLS, headers, Vec::new());
        let echo = async move {
            let (mut read, mut write) = tokio::io::split(theirs);
            let _ended = tokio::io::copy(&mut read, &mut write).await;
        };
        let ours: Box<dyn Duplex> = Box::new(ours.compat());
        let _task = crate::fake::start(echo);
        switched.upgraded = Some(async move { Ok(ours) }.boxed());
        return Ok(switched);
    }
    let authorization = raw.authorization.map(|value| value.to_str().unwrap_or_default().to_owned());
    let seen: Vec<String> = raw
        .request
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    let text = format!("{} {}\n{}\n{authorization:?}", raw.request.method, raw.request.uri, seen.join("\n"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close, x-hop"));
    headers.insert("x-hop", HeaderValue::from_static("1"));
    headers.insert("clear-site-data", HeaderValue::from_static("*"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'self'"));
    Ok(response(StatusCode::IM_A_TEAPOT, headers, vec![Bytes::from(text)]))
}

#[tokio::test]
async fn a_function_sees_its_request_and_nothing_of_ours() {
    let gateway = gateway();
    let call = request("DELETE", "/fn/media/hello/a%2Fb//c?x=1&y=%20")
        .header("authorization", "Bearer secret")
        .header("cookie", "eventflow_session=s; own=1")
        .header("connection", "keep-alive, x-drop")
        .header("x-drop", "1")
        .header("x-forwarded-for", "6.6.6.6")
        .header("origin", "https://elsewhere.example");
    let got = gateway.send(call.body(Body::empty()).unwrap()).await;
    let text = String::from_utf8(got.body.to_vec()).unwrap();
    assert_eq!(got.status, 418);
    assert!(text.starts_with("DELETE /a%2Fb//c?x=1&y=%20\n"), "{text}");
    assert!(text.ends_with("Some(\"Bearer secret\")") && text.matches("secret").count() == 1, "{text}");
    assert!(text.contains("cookie: own=1") && text.contains("x-forwarded-prefix: /fn/media/hello"), "{text}");
    for gone in ["eventflow_session", "x-drop", "6.6.6.6", "connection"] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
    let policies: Vec<_> = got.headers.get_all(header::CONTENT_SECURITY_POLICY).iter().collect();
    assert_eq!(policies, ["sandbox", "default-src 'self'"]);
    assert_eq!(
        (got.header("x-hop"), got.header("clear-site-data"), got.header("eventflow-version")),
        ("", "", "2")
    );
    assert!(!got.header("eventflow-invocation-id").is_empty());
    assert_eq!(got.header("access-control-allow-origin"), "", "CORS is the function's own affair");
}

#[tokio::test]
async fn a_function_that_gives_no_answer_is_told_as_any_failed_call() {
    let gateway = gateway();
    for (name, status) in [("crashes", 502), ("hangs", 504)] {
        let got = gateway.get(&format!("/fn/media/{name}/x")).await;
        assert_eq!((got.status, got.json()["reason"].as_str()), (status, Some("FunctionFailed")), "{name}");
        assert_eq!(got.json()["metadata"]["functionReason"], "NoAnswer");
        let named = ["eventflow-invocation-id", "eventflow-version", "eventflow-attempt"]
            .map(|name| got.header(name));
        assert_eq!(named, ["an-id", "3", "1"], "{name}");
        assert_eq!(got.header("retry-after"), "", "another try would go the same way");
    }
}

#[tokio::test]
async fn urls_that_name_no_function_are_refused() {
    let gateway = gateway();
    for (path, status) in [
        ("/fn/media", 404),
        ("/fn/", 404),
        ("/fn//x", 404),
        ("/fn/media/none", 404),
        ("/fn/Media/x", 400),
        ("/fn/media/..%2fx", 400),
        ("/fn/media/hello", 418),
        ("/fn/media/hello/", 418),
    ] {
        assert_eq!(gateway.get(path).await.status, status, "{path}");
    }
    let foreign = request("GET", "/fn/media/hello")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("origin", "https://evil.example");
    assert_eq!(gateway.send(foreign.body(Body::empty()).unwrap()).await.status, 403);
}
