//! Payloads and results, read as they are sent.

use crate::fake::{gateway, request};
use axum::body::Body;
use bytes::Bytes;
use eventflow_domain::{Error, ErrorKind, Result};
use eventflow_gateway::{Download, RawDownload, Recorded};
use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use pretty_assertions::assert_eq;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tower::ServiceExt as _;

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const PIECE: usize = 1 << 16;
const PIECES: usize = 64;

/// Pieces that were taken from the store of all downloads of the namespace `counted`.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// What the fake answers, by the namespace.
pub(crate) fn answer(request: &RawDownload) -> Result<Download> {
    let namespace = request.namespace.as_ref().map_or("", |namespace| namespace.as_str());
    let small = |bytes: &'static [u8]| {
        let size = bytes.len() as u64;
        let bytes = futures::stream::iter([Ok(Bytes::from_static(bytes))]).boxed();
        Ok(Download { content_type: Some(Arc::from("text/x-note")), size, bytes })
    };
    match (namespace, request.what) {
        ("counted", _) => {
            let pieces = (0..PIECES).map(|_| {
                TAKEN.fetch_add(1, Ordering::SeqCst);
                Ok(Bytes::from(vec![7; PIECE]))
            });
            let bytes = futures::stream::iter(pieces).boxed();
            Ok(Download { content_type: None, size: (PIECE * PIECES) as u64, bytes })
        }
        ("breaks", _) => {
            let pieces = [Ok(Bytes::from_static(b"half")), Err(std::io::Error::other("the disk is gone"))];
            Ok(Download { content_type: None, size: 8, bytes: futures::stream::iter(pieces).boxed() })
        }
        ("waits", _) => Err(Error::new(ErrorKind::WrongState, "NotFinished", "it has no result yet")),
        (_, Recorded::Payload) => small(b"the payload"),
        (_, Recorded::Result) => small(b"the result"),
    }
}

#[tokio::test]
async fn bytes_of_a_record_are_answered_as_they_are_with_their_length() {
    let gateway = gateway();
    for (what, text) in [("payload", "the payload"), ("result", "the result")] {
        for place in ["/v1", "/v1/namespaces/media"] {
            let got = gateway.get(&format!("{place}/invocations/{ID}/{what}")).await;
            assert_eq!((got.status, &got.body[..]), (200, text.as_bytes()), "{place} {what}");
            assert_eq!(got.header("content-length"), text.len().to_string());
            assert_eq!(got.header("content-type"), "text/x-note");
            assert_eq!(got.header("content-security-policy"), "sandbox");
        }
    }
    assert!(gateway.counted("/v1/namespaces/{namespace}/invocations/{id}/result"));
}

#[tokio::test]
async fn no_more_is_read_than_the_caller_takes() {
    let gateway = gateway();
    let path = format!("/v1/namespaces/counted/invocations/{ID}/result");
    let call = request("GET", &path).body(Body::empty()).unwrap();
    let mut body = gateway.router.clone().oneshot(call).await.expect("infallible").into_body();
    for taken in 1..=3 {
        let frame = body.frame().await.expect("a piece").expect("whole");
        assert_eq!(frame.into_data().expect("data").len(), PIECE);
        assert_eq!(TAKEN.load(Ordering::SeqCst), taken);
    }
    let rest = body.collect().await.expect("the rest").to_bytes();
    assert_eq!(rest.len(), PIECE * (PIECES - 3));
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_or_breaks_off_and_is_never_short() {
    let gateway = gateway();
    let path = |namespace: &str| format!("/v1/namespaces/{namespace}/invocations/{ID}/result");
    let waits = gateway.get(&path("waits")).await;
    assert_eq!((waits.status, waits.json()["reason"].as_str()), (409, Some("NotFinished")));
    let bad = gateway.get("/v1/invocations/nonsense/result").await;
    assert_eq!((bad.status, bad.json()["errors"][0]["field"].as_str()), (400, Some("id")));
    let odd = gateway.get(&format!("/v1/invocations/{ID}/result?range=1")).await;
    assert_eq!(odd.status, 400, "{:?}", odd.body);
    let call = request("GET", &path("breaks")).body(Body::empty()).unwrap();
    let response = gateway.router.clone().oneshot(call).await.expect("infallible");
    assert_eq!(response.status(), 200);
    assert!(response.into_body().collect().await.is_err(), "half of it is no answer");
}

#[tokio::test]
async fn who_may_not_come_in_is_told_nothing_else() {
    let gateway = gateway();
    let rows = [
        ("GET", "/v1/functions?nonsense=1", "a body on GET"),
        ("POST", "/v1/functions", "{"),
        ("POST", "/v1/functions/Not_A_Name:invoke?wait=never", ""),
        ("GET", "/v1/invocations/nonsense/result", ""),
        ("GET", "/v1/functions/hello/logs?tail=many", ""),
        ("POST", "/v1/artifacts?nonsense=1", "bytes"),
    ];
    for (method, path, body) in rows {
        let call = request(method, path).header("authorization", "Bearer wrong");
        let got = gateway.send(call.body(Body::from(body)).unwrap()).await;
        assert_eq!(
            (got.status, got.json()["reason"].as_str()),
            (401, Some("Unauthenticated")),
            "{method} {path}"
        );
        assert_eq!(got.header("www-authenticate"), "Bearer realm=\"eventflow\"");
    }
    let asked = gateway.fake.0.admitted.lock().unwrap().clone();
    let methods: Vec<_> = asked.iter().filter_map(|rpc| rpc.rsplit('/').next()).collect();
    let expected = [
        "ListFunctions",
        "ApplyFunction",
        "InvokeFunction",
        "GetInvocationResult",
        "StreamLogs",
        "UploadArtifact",
    ];
    assert_eq!(methods, expected);
    assert!(
        gateway.fake.0.invoked.lock().unwrap().is_empty() && gateway.fake.0.listed.lock().unwrap().is_empty()
    );
    // A body that never ends is not waited for.
    let endless = Body::from_stream(futures::stream::pending::<std::result::Result<Bytes, std::io::Error>>());
    let call = request("POST", "/v1/functions/hello:invoke").header("authorization", "Bearer wrong");
    assert_eq!(gateway.send(call.body(endless).unwrap()).await.status, 401);
}
