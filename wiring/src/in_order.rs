//! Who wrote through one api reads it at the next: each tells up to which change of the functions it has seen them, and
//! a gateway asks the others for no less.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use eventflow_domain::ports::FunctionRegistry;
use eventflow_interconnect::{AT_LEAST_HEADER, REVISION_HEADER};
use std::sync::Arc;
use std::time::Duration;

/// How long a request waits at most for news that another api has had already.
const PATIENCE: Duration = Duration::from_secs(1);

pub(crate) fn layer(router: Router, registry: Arc<dyn FunctionRegistry>) -> Router {
    router.layer(from_fn_with_state(registry, run))
}

async fn run(State(registry): State<Arc<dyn FunctionRegistry>>, request: Request, next: Next) -> Response {
    let asked = request.headers().get(AT_LEAST_HEADER);
    if let Some(revision) = asked.and_then(|value| value.to_str().ok()?.parse().ok()) {
        registry.catch_up(revision, PATIENCE).await;
    }
    let mut response = next.run(request).await;
    response.headers_mut().insert(REVISION_HEADER, HeaderValue::from(registry.revision()));
    response
}
