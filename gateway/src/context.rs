//! What is known of a request from its first moment.

use eventflow_domain::trace::TraceContext;
use eventflow_telemetry::propagation;
use http::request::Parts;
use http::{Extensions, HeaderMap};
use std::net::SocketAddr;
use std::sync::Arc;
use tracing::Span;

/// Set by the outermost layer, for all that follow.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The caller's `X-Request-Id` where it is a plain one, else the trace id.
    pub(crate) request_id: Arc<str>,
    pub(crate) trace: TraceContext,
    /// The peer of the connection.
    pub(crate) client: Option<SocketAddr>,
}

/// The peer of a connection; put into each request by [`crate::serve`].
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub SocketAddr);

/// The template of the route that answered: the label of metrics, a closed set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RouteLabel(pub(crate) &'static str);

impl RouteLabel {
    /// Keeps a text of the contract for as long as the process lives; done once for each, at start.
    pub(crate) fn keep(text: String) -> &'static str {
        Box::leak(text.into_boxed_str())
    }
}

pub(crate) const REQUEST_ID: &str = "x-request-id";
pub(crate) const TRACEPARENT: &str = "traceparent";

impl Context {
    /// `span` is that of the request; it becomes part of the caller's trace, or begins one.
    pub(crate) fn read(headers: &HeaderMap, extensions: &Extensions, span: &Span) -> Self {
        let incoming = propagation::http::extract(headers);
        // Without a span of ours the caller's stays the parent of what comes next.
        let trace = match incoming {
            Some(incoming) if span.is_disabled() => incoming,
            incoming => propagation::adopt(span, incoming),
        };
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let plain = |id: &&str| {
            (1..=128).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        let request_id =
            text(REQUEST_ID).filter(plain).map_or_else(|| trace.trace_id_hex().into(), Arc::from);
        Self { request_id, trace, client: extensions.get::<ClientAddress>().map(|address| address.0) }
    }

    /// The context of a request; made anew where the outermost layer is not there.
    pub(crate) fn of(parts: &Parts) -> Self {
        parts
            .extensions
            .get()
            .cloned()
            .unwrap_or_else(|| Self::read(&parts.headers, &parts.extensions, &Span::none()))
    }
}
