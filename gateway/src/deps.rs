//! What the gateway needs of the rooms behind it, beside their gRPC services.

use async_trait::async_trait;
use bytes::Bytes;
use eventflow_domain::ports::HttpRequest;
use eventflow_domain::ports::HttpResponse;
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{FunctionName, Invocation, InvocationId, Namespace, Result, State, VersionNumber};
use eventflow_lifecycle::{CancellationToken, Health};
use eventflow_telemetry::Metrics;
use http::{HeaderMap, HeaderValue};
use std::fmt::Debug;
use std::net::IpAddr;
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
    pub client: Option<IpAddr>,
    pub request_id: Arc<str>,
}

#[derive(Debug, Clone)]
pub enum InvokeAnswer {
    /// Durable, and still to be done: 202.
    Accepted { id: InvocationId, state: State },
    /// Ended; `body` is the function's answer.
    Finished { invocation: Box<Invocation>, body: Bytes },
}

/// The hot path: calls a function, the body as it came. Authenticates and authorizes.
#[async_trait]
pub trait InvokeApi: Debug + Send + Sync {
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
    pub client: Option<IpAddr>,
    pub request_id: Arc<str>,
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

/// The rooms behind the gateway.
#[derive(Debug, Clone)]
pub struct Deps {
    pub invoke: Arc<dyn InvokeApi>,
    pub proxy: Arc<dyn ProxyApi>,
    pub health: Health,
    pub metrics: Metrics,
    /// Cancelled when the process begins to drain: streams end cleanly then.
    pub draining: CancellationToken,
    /// Answers what no route of ours does: the UI.
    pub fallback: Option<axum::Router>,
}
