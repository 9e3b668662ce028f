//! What is measured. Each subject stands alone: `--only` picks by name.

mod accept;
mod memory;
mod start;
mod sync;
mod wasm;

use crate::args::Cli;
use crate::eventflow::binary;
use crate::plan::Plan;
use crate::report::Report;
use anyhow::{Context as _, Result};

pub(crate) async fn run(cli: &Cli, plan: &Plan, report: &mut Report) -> Result<()> {
    let binary = binary(cli.eventflow.as_deref())?;
    if cli.wants("accept") {
        accept::rest(&binary, plan, report).await.context("REST accept")?;
        accept::grpc(&binary, plan, report).await.context("gRPC accept")?;
    }
    if cli.wants("wasm") {
        wasm::measure(plan, report).await.context("wasm in process")?;
    }
    if cli.wants("sync-lean") {
        sync::lean(&binary, plan, report).await.context("sync, lean")?;
    }
    if cli.wants("sync-component") {
        sync::component(&binary, cli, plan, report).await.context("sync, component")?;
    }
    if cli.wants("restart") {
        start::restart(&binary, plan, report).await.context("restart")?;
    }
    if cli.wants("start") {
        start::hundred(&binary, plan, report).await.context("start")?;
    }
    if cli.wants("memory") {
        memory::measure(&binary, plan, report).await.context("memory")?;
    }
    Ok(())
}
