//! The axum server of the gateway with nothing behind it.

use anyhow::Result;
use axum::Router;
use axum::routing::post;
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use tokio::net::TcpListener;

const ANSWER: Bytes = Bytes::from_static(&[b'x'; 256]);

pub(super) async fn serve(listener: TcpListener) -> Result<()> {
    let router = Router::new().route("/v1/functions/{name}", post(|_body: Bytes| async { ANSWER }));
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, router).await?)
}
