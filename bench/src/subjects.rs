//! What is measured. Each subject stands alone: `--only` picks by name.

mod accept;
mod durable;
mod end_to_end;
mod kubernetes;
mod memory;
mod services;
mod start;
mod sync;
mod wasm;

use crate::args::Cli;
use crate::eventflow::binary;
use crate::plan::Plan;
use crate::report::Report;
use anyhow::Result;

const NAMES: [&str; 16] = [
    "rest-accept",
    "grpc-accept",
    "wasm",
    "sync-lean",
    "sync-component",
    "restart",
    "start",
    "memory",
    "durable",
    "end-to-end",
    "services-rest",
    "services-grpc",
    "services-end",
    "services-drain",
    "kubernetes-operator",
    "kubernetes-jobs",
];

/// One that fails is told, and the others go on.
pub(crate) async fn run(cli: &Cli, plan: &Plan, report: &mut Report) -> Result<()> {
    let binary = binary(cli.eventflow.as_deref())?;
    for name in NAMES {
        if !cli.wants(name) {
            continue;
        }
        let measured = match name {
            "rest-accept" => accept::rest(&binary, plan, report).await,
            "grpc-accept" => accept::grpc(&binary, plan, report).await,
            "wasm" => wasm::measure(plan, report).await,
            "sync-lean" => sync::lean(&binary, plan, report).await,
            "sync-component" => sync::component(&binary, cli, plan, report).await,
            "restart" => start::restart(&binary, plan, report).await,
            "start" => start::hundred(&binary, plan, report).await,
            "memory" => memory::measure(&binary, plan, report).await,
            "durable" => durable::measure(&binary, plan, report).await,
            "end-to-end" => end_to_end::local(&binary, plan, report).await,
            "services-rest" => services::rest(&binary, plan, report).await,
            "services-grpc" => services::grpc(&binary, plan, report).await,
            "services-end" => services::end_to_end(&binary, plan, report).await,
            "services-drain" => services::drain(&binary, plan, report).await,
            "kubernetes-operator" => kubernetes::operator(&binary, plan, report).await,
            _ => kubernetes::jobs(plan, report).await,
        };
        if let Err(error) = measured {
            report.failed(name, &format!("{error:#}"));
        }
    }
    Ok(())
}
