//! A POST over axum that is answered when its row is durable.

use super::store::{NewRow, Store};
use anyhow::Result;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use tokio::net::TcpListener;

pub(super) async fn serve(listener: TcpListener, store: Store) -> Result<()> {
    let router = Router::new().route("/v1/functions/{name}", post(accept)).with_state(store);
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, router).await?)
}

async fn accept(
    State(store): State<Store>,
    Path(name): Path<String>,
    headers: HeaderMap,
    payload: Bytes,
) -> Response {
    let name = name.trim_end_matches(":invoke").to_owned();
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let row = NewRow::now(name, content_type.unwrap_or_default().to_owned(), payload);
    let id = row.id;
    if store.insert(row).await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::LOCATION, format!("/v1/invocations/{id}")),
    ];
    (StatusCode::ACCEPTED, headers, format!("{{\"id\":\"{id}\",\"state\":\"QUEUED\"}}")).into_response()
}
