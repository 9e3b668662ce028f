//! What the gateway needs of the rooms behind it, beside their gRPC services.

use async_trait::async_trait;
use bytes::Bytes;
use eventflow_auth::PeerKey;
use eventflow_domain::ports::{ByteStream, HttpRequest, HttpResponse};
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{
    FunctionName, FunctionUid, Invocation, InvocationId, Namespace, Result, State, VersionNumber,
};
use eventflow_lifecycle::{CancellationToken, Health};
use eventflow_telemetry::Metrics;
use http::{HeaderMap, HeaderValue};
use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::Duration;

/// A call as it came over HTTP.
#[derive(Debug, Clone)]
pub struct RawInvoke {
    pub namespace: Namespace,
    pub name: FunctionName,
    pub content_type: Option<String>,
    /// At most `payload_limit`; its share of the memory budget is held until the answer is there.
    pub body: Bytes,
    /// `None`: the caller does not wait.
    pub wait: Option<Duration>,
    pub delay: Option<Duration>,
    pub version: Option<VersionNumber>,
    pub idempotency_key: Option<String>,
    pub trace: TraceContext,
    /// Headers that go on to a function in http mode: without hop-by-hop ones, credentials and our own.
    pub headers: HeaderMap,
    /// `Authorization`, as it came.
    pub authorization: Option<HeaderValue>,
}

#[derive(Debug, Clone)]
pub enum InvokeAnswer {
    /// Durable, and still to be done: 202. `attempt` is that of the run that goes on; 0 where none has begun.
    Accepted { id: InvocationId, state: State, version: VersionNumber, attempt: u32 },
    /// Ended; `body` is the function's answer.
    Finished { invocation: Box<Invocation>, body: Bytes },
}

/// The door of REST. It is asked before a body is read and before anything else of a request is judged; who comes
/// through is judged again, with all that the request asks for, by what it is for.
pub trait DoorApi: Debug + Send + Sync {
    /// Whether such a caller may use the RPC (`/package.Service/Method`) at all: `Unauthenticated`, `Forbidden`.
    fn admit(&self, rpc: &str, headers: &HeaderMap) -> Result<()>;
}

/// Bytes that a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    Payload,
    Result,
}

/// A question for bytes of a record.
#[derive(Debug, Clone)]
pub struct RawDownload {
    pub what: Recorded,
    /// `None`: wherever the call is.
    pub namespace: Option<Namespace>,
    pub id: InvocationId,
    /// `Authorization`, as it came.
    pub authorization: Option<HeaderValue>,
}

/// Bytes of a record, read as they are sent.
pub struct Download {
    pub content_type: Option<Arc<str>>,
    pub size: u64,
    pub bytes: ByteStream,
}

impl Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").field("size", &self.size).finish_non_exhaustive()
    }
}

/// Payloads and results, streamed: one may have 64 MiB. Authenticates and authorizes.
#[async_trait]
pub trait DownloadApi: Debug + Send + Sync {
    async fn download(&self, request: RawDownload) -> Result<Download>;
}

/// The hot path: calls a function, the body as it came. Authenticates and authorizes.
#[async_trait]
pub trait InvokeApi: DoorApi + DownloadApi {
    async fn invoke(&self, request: RawInvoke) -> Result<InvokeAnswer>;
}

/// A request to a function's own URL.
#[derive(Debug)]
pub struct RawProxy {
    pub namespace: Namespace,
    pub name: FunctionName,
    /// Without hop-by-hop headers, `Authorization` and our cookies.
    pub request: HttpRequest,
    /// `Authorization`, as it came. Where the URL is public it is the function's own: put it back.
    pub authorization: Option<HeaderValue>,
    pub trace: TraceContext,
}

#[derive(Debug)]
pub struct ProxyAnswer {
    pub id: InvocationId,
    pub version: VersionNumber,
    pub response: HttpResponse,
}

/// Passes requests on to functions. Authenticates and authorizes.
#[async_trait]
pub trait ProxyApi: Debug + Send + Sync {
    async fn proxy(&self, request: RawProxy) -> Result<ProxyAnswer>;
}

/// Who wants to reach which function's URL.
#[derive(Debug, Clone)]
pub struct RawUrl {
    pub namespace: Namespace,
    pub name: FunctionName,
    /// `Authorization`, as it came.
    pub authorization: Option<HeaderValue>,
}

/// As which call a request to a function's URL is passed on.
#[derive(Debug, Clone)]
pub struct UrlAdmission {
    pub id: InvocationId,
    pub uid: FunctionUid,
    pub version: VersionNumber,
    pub caller: Arc<str>,
    /// Everyone may call it: the `Authorization` is the function's own, put it back.
    pub public: bool,
}

/// The half of [`ProxyApi`] that a gateway of another process asks for: it passes the request on itself.
#[async_trait]
pub trait UrlApi: Debug + Send + Sync {
    async fn admit_url(&self, request: RawUrl) -> Result<UrlAdmission>;
}

/// The rooms behind the gateway.
#[derive(Debug, Clone)]
pub struct Deps {
    pub invoke: Arc<dyn InvokeApi>,
    pub proxy: Arc<dyn ProxyApi>,
    pub health: Health,
    pub metrics: Metrics,
    /// Cancelled when the process begins to drain: streams end cleanly then.
    pub draining: CancellationToken,
    /// Requests that carry a token of this key come from a gateway of ours, which has judged their `Host`, their
    /// `Origin` and their size.
    pub peers: Option<Arc<PeerKey>>,
    /// Answers what no route of ours does: the UI.
    pub fallback: Option<axum::Router>,
}
