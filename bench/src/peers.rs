//! The bare programs that EventFlow is measured against: each does the one thing and nothing else.

mod constant;
mod grpc;
mod rest;
mod store;

use crate::args::Peer;
use anyhow::{Context as _, Result};
use std::path::Path;
use tokio::net::TcpListener;

/// Serves until the process is ended.
pub(crate) async fn serve(kind: Peer, data: Option<&Path>) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("ready on http://{}", listener.local_addr()?);
    if kind == Peer::Constant {
        return constant::serve(listener).await;
    }
    let store = store::Store::open(data.context("--data is missing")?).await?;
    match kind {
        Peer::RestAccept => rest::serve(listener, store).await,
        Peer::GrpcAccept | Peer::Constant => grpc::serve(listener, store).await,
    }
}
