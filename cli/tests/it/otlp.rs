//! Receives spans as any collector does.

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use parking_lot::Mutex;
use std::fmt::Write as _;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

type Spans = Arc<Mutex<Vec<Span>>>;

struct Service(Spans);

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let scopes = request.into_inner().resource_spans.into_iter().flat_map(|of| of.scope_spans);
        self.0.lock().extend(scopes.flat_map(|scope| scope.spans));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

pub(crate) struct Receiver {
    pub(crate) endpoint: String,
    spans: Spans,
    _server: JoinSet<Result<(), tonic::transport::Error>>,
}

/// The spans of one trace.
#[derive(Debug)]
pub(crate) struct Trace(Vec<Span>);

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let spans = Spans::default();
        let router = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(Service(Arc::clone(&spans))));
        let server = router.serve_with_incoming(TcpListenerStream::new(listener));
        Self { endpoint, spans, _server: JoinSet::from_iter([server]) }
    }

    pub(crate) fn trace(&self, id: &str) -> Trace {
        let spans = self.spans.lock();
        Trace(spans.iter().filter(|span| hex(&span.trace_id) == id).cloned().collect())
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Trace {
    /// The one span whose name begins so.
    pub(crate) fn span(&self, name: &str) -> &Span {
        let found: Vec<_> = self.spans(name);
        assert_eq!(found.len(), 1, "{name}: {:?}", self.names());
        found[0]
    }

    pub(crate) fn spans(&self, name: &str) -> Vec<&Span> {
        self.0.iter().filter(|span| span.name == name).collect()
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.0.iter().map(|span| span.name.as_str()).collect();
        names.sort_unstable();
        names
    }

    /// The names from the first span of the trace down to this one.
    pub(crate) fn path(&self, span: &Span) -> Vec<&str> {
        let mut path = Vec::new();
        let mut next = self.0.iter().find(|known| known.span_id == span.span_id);
        while let Some(span) = next {
            path.insert(0, span.name.as_str());
            next = self.0.iter().find(|known| known.span_id == span.parent_span_id);
        }
        path
    }
}
