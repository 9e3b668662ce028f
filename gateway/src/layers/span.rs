//! The span of a request, at debug level: it costs nothing unless spans are exported.

use crate::context::Context;
use eventflow_telemetry::names::SPAN_HTTP;
use eventflow_telemetry::propagation;
use http::StatusCode;
use tracing::Span;
use tracing::field::Empty;

/// What monitors ask all the time: of no interest in a trace.
const UNTRACED: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

pub(super) fn of(method: &'static str, path: &str) -> Span {
    if UNTRACED.contains(&path) {
        return Span::none();
    }
    tracing::debug_span!(
        SPAN_HTTP,
        otel.kind = "server",
        otel.status_code = Empty,
        trace_id = Empty,
        request_id = Empty,
        http.request.method = method,
        http.route = Empty,
        http.response.status_code = Empty,
    )
}

/// Its route is known only now; the span is named by it, so that names are a closed set.
pub(super) fn answered(
    span: &Span,
    method: &'static str,
    route: &'static str,
    status: StatusCode,
    context: &Context,
) {
    if status == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(
            trace_id = %context.trace.trace_id_hex(),
            request_id = %context.request_id,
            method,
            route,
            "answered with an error of ours"
        );
    }
    if span.is_disabled() {
        return;
    }
    propagation::rename(span, format!("{method} {route}"));
    span.record("request_id", &*context.request_id);
    span.record("http.route", route);
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
}
