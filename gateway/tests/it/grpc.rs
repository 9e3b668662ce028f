use crate::fake::{gateway, request};
use axum::body::Body;
use bytes::{BufMut as _, BytesMut};
use eventflow_proto::v1::GetFunctionRequest;
use pretty_assertions::assert_eq;
use prost_reflect::prost::Message as _;

const GET_FUNCTION: &str = "/eventflow.v1.FunctionService/GetFunction";

fn frame(name: &str) -> Body {
    let message = GetFunctionRequest { namespace: String::new(), name: name.to_owned() }.encode_to_vec();
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(message.len() as u32);
    framed.put_slice(&message);
    Body::from(framed.freeze())
}

#[tokio::test]
async fn grpc_web_is_spoken_over_http_1() {
    let gateway = gateway();
    let call = |name: &str| {
        let request = request("POST", GET_FUNCTION)
            .header("content-type", "application/grpc-web+proto")
            .header("x-grpc-web", "1");
        gateway.send(request.header("origin", "http://localhost").body(frame(name)).unwrap())
    };
    let found = call("hello").await;
    assert_eq!((found.status, found.header("content-type")), (200, "application/grpc-web+proto"));
    assert!(found.header("access-control-expose-headers").contains("grpc-status-details-bin"));
    let text = String::from_utf8_lossy(&found.body).into_owned();
    assert!(text.contains("hello") && text.contains("grpc-status:0"), "{text}");
    let missing = call("none").await;
    let status = format!("{} {}", missing.header("grpc-status"), String::from_utf8_lossy(&missing.body));
    assert!(status.contains('5'), "{status}");
    assert!(gateway.counted(GET_FUNCTION));
}

#[tokio::test]
async fn grpc_web_preflights_are_answered_for_the_own_origin_only() {
    let gateway = gateway();
    let preflight = |origin: &str| {
        let request = request("OPTIONS", GET_FUNCTION)
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "x-grpc-web,content-type,authorization");
        gateway.send(request.body(Body::empty()).unwrap())
    };
    let own = preflight("http://localhost").await;
    assert_eq!((own.status, own.header("access-control-allow-origin")), (200, "http://localhost"));
    assert!(own.header("access-control-allow-headers").contains("x-grpc-web"));
    let foreign = preflight("https://evil.example").await;
    assert_eq!((foreign.status, foreign.header("access-control-allow-origin")), (403, ""));
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented_and_no_rest_404() {
    let gateway = gateway();
    for path in ["/eventflow.v1.FunctionService/Nothing", "/eventflow.v1.Nothing/Get", "/x"] {
        for kind in ["application/grpc", "application/grpc-web+proto"] {
            let got = gateway
                .send(
                    request("POST", path)
                        .version(http::Version::HTTP_2)
                        .header("content-type", kind)
                        .body(frame("x"))
                        .unwrap(),
                )
                .await;
            assert_eq!(
                (got.status, got.header("grpc-status")),
                (200, "12"),
                "{path} {kind} {:?}",
                got.headers
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn grpc_calls_keep_their_deadline() {
    let gateway = gateway();
    for (timeout, status) in [("100m", "4"), ("0S", "4"), ("soon", "3"), ("-5S", "3")] {
        let call = request("POST", GET_FUNCTION)
            .version(http::Version::HTTP_2)
            .header("content-type", "application/grpc")
            .header("grpc-timeout", timeout);
        let got = gateway.send(call.body(frame("slow")).unwrap()).await;
        assert_eq!((got.status, got.header("grpc-status")), (200, status), "{timeout}");
    }
}

#[tokio::test]
async fn refusals_of_the_gateway_are_told_in_grpc() {
    let gateway = gateway();
    let call = http::Request::builder()
        .method("POST")
        .uri(GET_FUNCTION)
        .header("host", "evil.example")
        .header("content-type", "application/grpc");
    let got = gateway.send(call.version(http::Version::HTTP_2).body(frame("hello")).unwrap()).await;
    assert_eq!((got.status, got.header("grpc-status")), (200, "7"));
}
