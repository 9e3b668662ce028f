//! What monitors ask.

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use eventflow_lifecycle::Health;
use eventflow_telemetry::Metrics;
use http::{HeaderMap, HeaderValue, StatusCode, header};

fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The process is alive: it answers.
pub(crate) fn live() -> Response {
    answer(StatusCode::OK, "application/json", "{\"alive\":true}\n")
}

/// 503 until every dependency is there, and again once the process drains.
pub(crate) fn ready(health: &Health) -> Response {
    let report = health.report();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut body = serde_json::to_vec(&report).unwrap_or_default();
    body.push(b'\n');
    answer(status, "application/json", body)
}

/// OpenMetrics where it is asked for, as Prometheus does; the older text for everything else.
pub(crate) fn metrics(metrics: &Metrics, asked: &HeaderMap) -> Response {
    let mut accepted = asked.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut response = if accepted.any(|value| value.contains("application/openmetrics-text")) {
        answer(StatusCode::OK, Metrics::CONTENT_TYPE, metrics.encode())
    } else {
        answer(StatusCode::OK, Metrics::TEXT_TYPE, metrics.encode_text())
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

/// The same three for a port of their own, where monitors ask and nobody else.
pub fn monitoring(health: Health, metrics: Metrics) -> Router {
    Router::new()
        .route("/healthz", get(|| async { live() }))
        .route("/readyz", get(|| async move { ready(&health) }))
        .route("/metrics", get(|asked: HeaderMap| async move { self::metrics(&metrics, &asked) }))
}
