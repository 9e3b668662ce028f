//! The bare programs that EventFlow is measured against: each does the one thing and nothing else.

mod constant;
mod grpc;
mod postgres;
mod rest;
mod sqlite;
mod store;

pub(crate) use postgres::Connections;

use crate::args::Peer;
use anyhow::{Context as _, Result};
use std::path::Path;
use tokio::net::TcpListener;

/// Serves until the process is ended.
pub(crate) async fn serve(kind: Peer, data: Option<&Path>, postgres: Option<&str>) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("ready on http://{}", listener.local_addr()?);
    if kind == Peer::Constant {
        return constant::serve(listener).await;
    }
    let store = match postgres {
        Some(url) => postgres::open(url).await?,
        None => sqlite::open(data.context("--data or --postgres is missing")?).await?,
    };
    match kind {
        Peer::RestAccept => rest::serve(listener, store).await,
        Peer::GrpcAccept | Peer::Constant => grpc::serve(listener, store).await,
    }
}
