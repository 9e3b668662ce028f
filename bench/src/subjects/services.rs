//! The same over PostgreSQL and NATS JetStream, as separate services.

mod drain;

pub(super) use drain::drain;

use super::{accept, end_to_end as latency};
use crate::plan::Plan;
use crate::process::peer_on_postgres;
use crate::report::Report;
use crate::services::Behind;
use anyhow::Result;
use std::path::Path;

pub(super) async fn rest(binary: &Path, plan: &Plan, report: &mut Report) -> Result<()> {
    let behind = Behind::start(binary).await?;
    let bare = peer_on_postgres("rest-accept", &behind.another_database().await).await?;
    let ours = behind.api().await?;
    accept::rest_beside(&ours, &bare, "services: REST accept", plan, report).await
}

pub(super) async fn grpc(binary: &Path, plan: &Plan, report: &mut Report) -> Result<()> {
    let behind = Behind::start(binary).await?;
    let bare = peer_on_postgres("grpc-accept", &behind.another_database().await).await?;
    let ours = behind.api().await?;
    accept::grpc_beside(&ours, &bare, "services: gRPC accept", plan, report).await
}

pub(super) async fn end_to_end(binary: &Path, plan: &Plan, report: &mut Report) -> Result<()> {
    let behind = Behind::start(binary).await?;
    let bare = peer_on_postgres("rest-accept", &behind.another_database().await).await?;
    let ours = behind.api().await?;
    let _dispatcher = behind.dispatcher().await?;
    latency::beside(&ours, &bare, "services: accept to result", plan, report).await
}
