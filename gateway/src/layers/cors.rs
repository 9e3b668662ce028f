use super::guard;
use crate::config::GatewayConfig;
use eventflow_auth::origin::origin_allowed;
use http::{HeaderName, HeaderValue, Method, request};
use std::sync::Arc;
use std::time::Duration;
use tower_http::cors::{AllowOrigin, CorsLayer};

const ALLOWED: [&str; 13] = [
    "accept",
    "authorization",
    "content-type",
    "grpc-timeout",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "last-event-id",
    "traceparent",
    "tracestate",
    "x-grpc-web",
    "x-request-id",
    "x-user-agent",
];

/// Without `grpc-*` a trailers-only error shows in a browser as "missing trailer".
const EXPOSED: [&str; 12] = [
    "grpc-status",
    "grpc-message",
    "grpc-status-details-bin",
    "eventflow-invocation-id",
    "eventflow-version",
    "eventflow-attempt",
    "allow",
    "etag",
    "location",
    "retry-after",
    "www-authenticate",
    "x-request-id",
];

pub(crate) fn layer(config: Arc<GatewayConfig>) -> CorsLayer {
    let allowed = move |origin: &HeaderValue, parts: &request::Parts| {
        origin.to_str().is_ok_and(|origin| origin_allowed(origin, guard::host(parts), &config.hosts))
    };
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(allowed))
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::PATCH])
        .allow_headers(ALLOWED.map(HeaderName::from_static))
        .expose_headers(EXPOSED.map(HeaderName::from_static))
        .max_age(Duration::from_secs(600))
}
