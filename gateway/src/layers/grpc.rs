//! What tonic's own server would do, and `Routes` alone does not: deadlines, and answers in gRPC's way to calls
//! that never reach a service.

use crate::context::RouteLabel;
use crate::problem::Problem;
use crate::transcode::headers::deadline;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::collections::HashSet;
use std::sync::Arc;
use tonic::{Code, Status};

/// gRPC or grpc-web, by its content type.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// A refusal of the gateway as a trailers-only answer.
pub(crate) fn refusal(problem: &Problem) -> Response {
    let code = match problem.status {
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN | StatusCode::MISDIRECTED_REQUEST => Code::PermissionDenied,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Code::Unimplemented,
        StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::TOO_MANY_REQUESTS
        | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Code::ResourceExhausted,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        StatusCode::GATEWAY_TIMEOUT => Code::DeadlineExceeded,
        status if status.is_client_error() => Code::InvalidArgument,
        _ => Code::Internal,
    };
    trailers_only(&Status::new(code, problem.detail.clone()))
}

fn trailers_only(status: &Status) -> Response {
    status.clone().into_http::<Body>().map(|_| Body::empty())
}

/// An unknown method: UNIMPLEMENTED, whatever REST makes of the path.
pub(crate) fn unknown(path: &str) -> Response {
    trailers_only(&Status::unimplemented(format!("there is no method {:?}", crate::problem::shown(path))))
}

/// Labels of the known methods, so that metrics stay a closed set.
#[derive(Debug, Clone, Default)]
pub(crate) struct Methods(Arc<HashSet<&'static str>>);

impl Methods {
    pub(crate) fn new(paths: impl IntoIterator<Item = String>) -> Self {
        Self(Arc::new(paths.into_iter().map(RouteLabel::keep).collect()))
    }
}

/// Ends a call at its `grpc-timeout`, and refuses one that cannot be read.
pub(crate) async fn run(methods: Methods, request: Request, next: Next) -> Response {
    let label = methods.0.get(request.uri().path()).copied().unwrap_or("grpc");
    let mut response = match deadline(request.headers()) {
        Err(problem) => refusal(&problem),
        Ok(None) => next.run(request).await,
        Ok(Some(timeout)) => match tokio::time::timeout(timeout, next.run(request)).await {
            Ok(response) => response,
            Err(_) => trailers_only(&Status::deadline_exceeded("the call was not answered within its time")),
        },
    };
    response.extensions_mut().insert(RouteLabel(label));
    if !response.headers().contains_key(header::CONTENT_TYPE) {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    }
    response
}
