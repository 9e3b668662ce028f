#![cfg(test)]
//! Spans, sent to a real OTLP receiver.

use eventflow_domain::trace::TraceContext;
use eventflow_telemetry::{Config, propagation};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// Hands on what it receives.
struct Receiver(mpsc::UnboundedSender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let sent = self.0.send(request.into_inner());
        sent.map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// The subscriber is process-wide, so one test shows the whole life of telemetry.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_of_one_call_arrive_as_one_trace_when_the_guard_is_flushed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let (sender, mut received) = mpsc::unbounded_channel();
    let service = TraceServiceServer::new(Receiver(sender));
    let router = tonic::transport::Server::builder().add_service(service);
    let server =
        tokio::task::JoinSet::from_iter([router.serve_with_incoming(TcpListenerStream::new(listener))]);

    let config = Config { otlp_endpoint: endpoint, level: "warn".into(), ..Config::default() };
    let guard = eventflow_telemetry::init(&config, "eventflow-test").expect("starts");
    assert!(eventflow_telemetry::init(&config, "again").is_err(), "a second subscriber");

    let incoming = TraceContext::generate();
    let request = tracing::info_span!(target: "eventflow_test", "rpc", trace_id = tracing::field::Empty);
    let handed_on = propagation::adopt(&request, Some(incoming));
    assert_eq!(handed_on.trace_id, incoming.trace_id);
    request.in_scope(|| {
        tracing::debug_span!(target: "eventflow_test", "settle", state = "SUCCEEDED").in_scope(|| ());
    });
    drop(request);
    let root = tracing::info_span!(target: "eventflow_test", "root");
    let begun = propagation::adopt(&root, None);
    drop(root);
    let unsampled = TraceContext { sampled: false, ..TraceContext::generate() };
    let silent = tracing::info_span!(target: "eventflow_test", "silent");
    assert_eq!(propagation::adopt(&silent, Some(unsampled)).trace_id, unsampled.trace_id);
    drop(silent);

    guard.flush(Duration::from_secs(5)).await;
    drop(server);
    let mut spans: BTreeMap<String, Span> = BTreeMap::new();
    while let Ok(request) = received.try_recv() {
        let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        spans.extend(scopes.flat_map(|scope| scope.spans).map(|span| (span.name.clone(), span)));
    }
    assert_eq!(spans.keys().collect::<Vec<_>>(), ["root", "rpc", "settle"]);
    let (rpc, settle, root) = (&spans["rpc"], &spans["settle"], &spans["root"]);
    assert_eq!(rpc.trace_id, incoming.trace_id.to_be_bytes());
    assert_eq!(rpc.parent_span_id, incoming.span_id.to_be_bytes());
    assert_eq!(rpc.span_id, handed_on.span_id.to_be_bytes());
    assert_eq!((&settle.trace_id, &settle.parent_span_id), (&rpc.trace_id, &rpc.span_id));
    assert_eq!(root.trace_id, begun.trace_id.to_be_bytes());
    assert!(root.parent_span_id.is_empty(), "a new trace has no parent");
}
