//! Passed requests: back to what the function shall see, and the answer on its way.

use super::{ServerParts, to_status};
use crate::{ANSWER_HEADER, CALL_HEADER, FN_PREFIX, PEER_HEADER, wire};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::routing::any;
use eventflow_domain::Result;
use eventflow_domain::ports::{HttpRequest, HttpResponse, Upgraded};
use futures::StreamExt as _;
use http::uri::{PathAndQuery, Uri};
use http::{Response, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::io;
use tokio_util::compat::FuturesAsyncReadCompatExt as _;

pub(super) fn router(parts: ServerParts) -> Router {
    let handler = any(handle);
    Router::new()
        .route(FN_PREFIX, handler.clone())
        .route(&format!("{FN_PREFIX}/"), handler.clone())
        .route(&format!("{FN_PREFIX}/{{*rest}}"), handler)
        .with_state(parts)
}

async fn handle(State(parts): State<ServerParts>, request: Request) -> Response<Body> {
    match pass(&parts, request).await {
        Ok(response) => response,
        Err(error) => refusal(&to_status(&error)),
    }
}

/// As a gRPC status in the headers: it carries the whole error. The absent head tells it from a function's answer.
fn refusal(status: &tonic::Status) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    if status.add_header(response.headers_mut()).is_err() {
        response.headers_mut().clear();
    }
    response
}

async fn pass(parts: &ServerParts, mut request: Request) -> Result<Response<Body>> {
    parts.admit(request.headers())?;
    parts.check_open()?;
    let upgrade = request.headers().contains_key(header::UPGRADE);
    let pending = upgrade.then(|| hyper::upgrade::on(&mut request));
    let (mut head, body) = request.into_parts();
    head.headers.remove(PEER_HEADER);
    let call = head.headers.remove(CALL_HEADER).ok_or_else(|| wire::malformed("the head of the call"))?;
    let call = wire::pass_from_header(&call, &*parts.registry).await?;
    // Ours, between the two processes; the body says its own length to the function.
    head.headers.remove(header::TRANSFER_ENCODING);
    let path = head.uri.path_and_query().map_or("", PathAndQuery::as_str);
    let path = path.strip_prefix(FN_PREFIX).unwrap_or_default();
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let uri: Uri = path.parse().map_err(|_| wire::malformed("the path"))?;
    let request = HttpRequest {
        method: head.method,
        uri,
        headers: head.headers,
        body: body.into_data_stream().map(|piece| piece.map_err(io::Error::other)).boxed(),
        upgrade,
    };
    let response = parts.invoker.proxy(call, request).await?;
    answer(response, pending)
}

fn answer(mut response: HttpResponse, pending: Option<OnUpgrade>) -> Result<Response<Body>> {
    let head = wire::passed_to_header(&response)?;
    let upgraded = response.upgraded.take();
    let body = match (pending, upgraded) {
        (Some(pending), Some(upgraded)) => {
            bridge(pending, upgraded);
            Body::empty()
        }
        _ => Body::from_stream(response.body),
    };
    let mut out = Response::new(body);
    *out.status_mut() = response.status;
    *out.headers_mut() = response.headers;
    out.headers_mut().insert(ANSWER_HEADER, head);
    Ok(out)
}

/// Joins the api's connection and the function's, once both have switched.
#[expect(
    clippy::disallowed_methods,
    reason = "outlives the request by nature: it ends with either connection, and a failure is logged"
)]
fn bridge(caller: OnUpgrade, function: Upgraded) {
    tokio::spawn(async move {
        let joined = async {
            let (caller, function) = tokio::join!(caller, function);
            let mut caller = TokioIo::new(caller.map_err(io::Error::other)?);
            let mut function = function?.compat();
            tokio::io::copy_bidirectional(&mut caller, &mut function).await
        };
        if let Err(error) = joined.await {
            tracing::debug!(%error, "upgraded connection broke off");
        }
    });
}
