//! The outermost layer: context, guard, panics, problem documents, headers of every answer, metrics.

use super::{guard, span};
use crate::config::GatewayConfig;
use crate::context::{Context, REQUEST_ID, RouteLabel};
use crate::problem::Problem;
use crate::server::linger::Linger;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use eventflow_auth::PeerKey;
use eventflow_interconnect::PEER_HEADER;
use eventflow_telemetry::{Metrics, propagation};
use futures::FutureExt as _;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version, header};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tonic::transport::server::TcpConnectInfo;
use tracing::Instrument as _;

/// State of the layer.
#[derive(Debug, Clone)]
pub(crate) struct Outer {
    pub(crate) config: Arc<GatewayConfig>,
    pub(crate) metrics: Metrics,
    /// The key of the gateways whose requests were judged already.
    pub(crate) peers: Option<Arc<PeerKey>>,
}

impl Outer {
    /// Whether a gateway of ours sent it. Its token goes no further.
    fn is_judged(&self, headers: &mut HeaderMap) -> bool {
        let Some(token) = headers.remove(PEER_HEADER) else { return false };
        let key = self.peers.as_ref();
        key.is_some_and(|key| token.to_str().is_ok_and(|token| key.verify(token).is_ok()))
    }
}

pub(crate) async fn run(outer: Outer, request: Request, next: Next) -> Response {
    let method = method_label(request.method());
    let uri = request.uri().clone();
    let (mut parts, body) = request.into_parts();
    let span = span::of(method, uri.path());
    let context = Context::read(&parts.headers, &parts.extensions, &span);
    let grpc = super::grpc::is_grpc(&parts.headers);
    let rest_unread = parts.version < Version::HTTP_2 && is_long(&parts.headers);
    let linger = parts.extensions.get::<Linger>().filter(|_| rest_unread).cloned();
    let judged = outer.is_judged(&mut parts.headers);
    let refused = if judged { None } else { guard::check(&outer.config, &parts).err() };
    let mut response = if let Some(problem) = refused {
        problem.into_response()
    } else {
        introduce(&mut parts, &context, grpc);
        // A panic is the end of this request, and of nothing else.
        let answer = next.run(Request::from_parts(parts, body)).instrument(span.clone());
        let answer = AssertUnwindSafe(answer).catch_unwind().await;
        answer.unwrap_or_else(|_| panicked(&uri, &context))
    };
    let problem = response.extensions().get::<Problem>().is_some();
    finish(&mut response, &uri, &context, grpc);
    if problem && rest_unread {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        // And may still be sending.
        linger.inspect(Linger::ask);
    }
    let route = response.extensions().get::<RouteLabel>().map_or("other", |label| label.0);
    let status = response.status();
    outer.metrics.http_request(method, route, status.as_u16());
    span::answered(&span, method, route, status, &context);
    span::until_sent(&span, response)
}

/// Whether a refusal may leave much of the body unread. Behind it an HTTP/1 connection takes no other request, and a
/// client that keeps connections has to be told.
fn is_long(headers: &HeaderMap) -> bool {
    const READ_WITH_THE_HEAD: u64 = 8 << 10;
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    length.is_some_and(|length| length > READ_WITH_THE_HEAD)
        || headers.contains_key(header::TRANSFER_ENCODING)
}

/// What handlers find in the request.
fn introduce(parts: &mut Parts, context: &Context, grpc: bool) {
    if grpc {
        // A service reads its trace where any gRPC client puts it.
        propagation::http::inject(context.trace, &mut parts.headers);
    }
    let extensions = &mut parts.extensions;
    extensions.insert(context.clone());
    if let Some(client) = context.client {
        // Where tonic's `Request::remote_addr` looks.
        extensions.insert(TcpConnectInfo { local_addr: None, remote_addr: Some(client) });
    }
}

fn panicked(uri: &Uri, context: &Context) -> Response {
    tracing::error!(path = uri.path(), request_id = %context.request_id, "a handler panicked");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal", "failed to answer the request")
        .into_response()
}

fn finish(response: &mut Response, uri: &Uri, context: &Context, grpc: bool) {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        if grpc {
            *response = super::grpc::refusal(&problem);
        } else {
            let text = problem.render(uri.path(), &context.request_id);
            response.headers_mut().remove(header::CONTENT_LENGTH);
            *response.body_mut() = Body::from(text);
        }
    }
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(&context.request_id) {
        headers.insert(REQUEST_ID, id);
    }
}

fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}
