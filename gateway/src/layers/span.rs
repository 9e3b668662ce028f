//! The span of a request, at debug level: it costs nothing unless spans are exported.

use crate::context::Context;
use axum::body::{Body, Bytes};
use axum::response::Response;
use eventflow_telemetry::names::SPAN_HTTP;
use eventflow_telemetry::propagation;
use http::StatusCode;
use http_body::{Body as _, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Poll, ready};
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

/// Ends the span with the answer's body, where that comes bit by bit.
pub(super) fn until_sent(span: &Span, response: Response) -> Response {
    if span.is_disabled() || response.body().size_hint().exact().is_some() {
        return response;
    }
    let span = span.clone();
    response.map(|body| Body::new(Sent { body, span }))
}

/// A body that is part of its request's span: what is done to produce it belongs to the request.
struct Sent {
    body: Body,
    span: Span,
}

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Self { body, span } = &mut *self;
        let frame = ready!(span.in_scope(|| Pin::new(body).poll_frame(context)));
        match &frame {
            Some(Ok(_)) => {}
            Some(Err(_)) => {
                span.record("otel.status_code", "ERROR");
            }
            None => *span = Span::none(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
