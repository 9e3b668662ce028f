//! One call is one trace, from the gateway to the function.

use crate::otlp::{Receiver, hex};
use crate::server::Server;
use eventflow_proto::v1::InvokeFunctionRequest;
use eventflow_proto::v1::function_service_client::FunctionServiceClient;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const INVOKE: &str = "/v1/functions/traced:invoke";
const HTTP: &str = "POST /v1/functions/{name}:invoke";
const RPC: &str = "POST /eventflow.v1.FunctionService/InvokeFunction";

/// Answers with the trace that it is told.
fn traced() -> Value {
    json!({"name": "traced", "runtime": "process", "command": ["sh", "-c", "printf %s $TRACEPARENT"]})
}

fn failing() -> Value {
    let backoff = json!({"initial": "100ms", "max": "100ms", "jitter": 0});
    json!({
        "name": "failing", "runtime": "process", "command": ["false"],
        "retry": {"maxAttempts": 2, "backoff": backoff},
    })
}

/// Trace id and span id of a traceparent.
fn parts(traceparent: &str) -> (&str, &str) {
    let parts: Vec<_> = traceparent.split('-').collect();
    assert_eq!(parts.len(), 4, "{traceparent:?}");
    (parts[1], parts[2])
}

/// Accepts a call and returns its record once it has ended, and the request's id.
async fn ended(server: &Server, path: &str) -> (Value, String) {
    let accepted = server.send("POST", path, &[], "").await;
    assert_eq!(accepted.status, 202, "{}", accepted.body);
    let id = accepted.json()["id"].as_str().expect("an id").to_owned();
    let record = server.send("GET", &format!("/v1/invocations/{id}?wait=20s"), &[], "").await.json();
    (record, accepted.headers["x-request-id"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_call_is_one_trace_through_all_rooms() {
    let receiver = Receiver::start().await;
    let server = Server::start(&[format!("telemetry.otlp_endpoint={}", receiver.endpoint)]).await;
    server.apply(&traced()).await;
    server.apply(&failing()).await;

    // Sync, in a trace of the caller's.
    let callers = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let sync = server.send("POST", &format!("{INVOKE}?wait=20s"), &[("traceparent", callers)], "").await;
    assert_eq!((sync.status, parts(&sync.body).0), (200, parts(callers).0), "{}", sync.body);
    assert_eq!(sync.headers["x-request-id"], parts(callers).0);

    // Async, in a trace that the gateway begins.
    let (record, request_id) = ended(&server, INVOKE).await;
    let id = record["id"].as_str().expect("an id").to_owned();
    assert_eq!(
        (record["state"].as_str(), record["traceId"].as_str()),
        (Some("SUCCEEDED"), Some(&*request_id))
    );
    let told = server.send("GET", &format!("/v1/invocations/{id}/result"), &[], "").await.body;
    assert_eq!(parts(&told).0, request_id);

    let (failed, failed_trace) = ended(&server, "/v1/functions/failing:invoke").await;
    assert_eq!(
        (failed["state"].as_str(), failed["attempts"].as_array().map(Vec::len)),
        (Some("FAILED"), Some(2))
    );

    // gRPC, without a trace.
    let (rpc_told, rpc_trace) = over_grpc(&server).await;
    assert_eq!(parts(&rpc_told).0, rpc_trace);

    server.stop().await;
    let trace = receiver.trace(parts(callers).0);
    let run = trace.span("invocation.run");
    assert_eq!(trace.path(run), [HTTP, "invocation.invoke", "invocation.attempt", "invocation.run"]);
    assert_eq!(hex(&run.span_id), parts(&sync.body).1, "the function's parent is its run");
    assert_eq!(hex(&trace.span(HTTP).parent_span_id), parts(callers).1, "the caller is the gateway's parent");
    assert_eq!(trace.names().len(), 4, "{:?}", trace.names());

    let trace = receiver.trace(&request_id);
    let run = trace.span("invocation.run");
    let way = [HTTP, "invocation.accept", "invocation.publish", "invocation.attempt"];
    assert_eq!(trace.path(run), [&way[..], &["invocation.run"]].concat());
    assert_eq!(trace.path(trace.span("invocation.settle")), [&way[..], &["invocation.settle"]].concat());
    assert_eq!(hex(&run.span_id), parts(&told).1);
    let attributes: BTreeSet<_> = trace.span(HTTP).attributes.iter().map(|pair| pair.key.as_str()).collect();
    for key in ["http.request.method", "http.route", "http.response.status_code", "request_id"] {
        assert!(attributes.contains(key), "{key}: {attributes:?}");
    }

    let trace = receiver.trace(&failed_trace);
    let runs = trace.spans("invocation.run");
    assert_eq!(runs.len(), 2, "both attempts are in one trace: {:?}", trace.names());
    for run in runs {
        assert_eq!(trace.path(run), [&way[..], &["invocation.run"]].concat());
    }

    let trace = receiver.trace(&rpc_trace);
    let way = [RPC, "invocation.invoke", "invocation.attempt", "invocation.run"];
    assert_eq!(trace.path(trace.span("invocation.run")), way);
}

/// What the function was told, and the id of the record's trace.
async fn over_grpc(server: &Server) -> (String, String) {
    let mut client =
        FunctionServiceClient::connect(format!("http://{}", server.address)).await.expect("connects");
    let mut request = tonic::Request::new(InvokeFunctionRequest {
        name: "traced".into(),
        wait: Some(prost_types::Duration { seconds: 20, nanos: 0 }),
        ..InvokeFunctionRequest::default()
    });
    let bearer = format!("Bearer {}", server.token);
    request.metadata_mut().insert("authorization", bearer.parse().expect("a token"));
    let answer = client.invoke_function(request).await.expect("an answer");
    let request_id = answer.metadata().get("x-request-id").expect("an id").to_str().expect("text").to_owned();
    let answer = answer.into_inner();
    let record = answer.invocation.expect("a record");
    assert_eq!(record.trace_id, request_id);
    let told = String::from_utf8(answer.result.expect("a result").data.to_vec()).expect("text");
    (told, record.trace_id)
}
