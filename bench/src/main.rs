//! Measures EventFlow side by side with what it is built on: the release binary and the wasm runtime against bare
//! programs that do only the one thing that is measured. Method and figures: `docs/benchmarks.md`.
//!
//! ```text
//!  eventflow-bench (load, one thread) ──loopback──▶ eventflow dev          in turns, pair by pair;
//!                                     ──loopback──▶ eventflow-bench peer   the ratio of each pair counts
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports")]

mod args;
mod compare;
mod eventflow;
mod guest;
mod load;
mod machine;
mod peers;
mod plan;
mod process;
mod report;
mod services;
mod stats;
mod subjects;

use anyhow::Result;
use args::{Cli, Command};
use clap::Parser as _;
use plan::Plan;
use report::Report;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let cli = Cli::parse();
    match &cli.command {
        // A peer has the executor that EventFlow has.
        Some(Command::Peer { kind, data, postgres }) => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(peers::serve(*kind, data.as_deref(), postgres.as_deref()))
        }
        // The load has one thread, so that it takes from both sides alike and never more than one core.
        None => tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure(&cli)),
    }
}

async fn measure(cli: &Cli) -> Result<()> {
    let plan = if cli.quick { Plan::quick() } else { Plan::full() };
    let mut report = Report::new(&plan);
    println!("{}", machine::describe());
    println!("{plan}\n");
    subjects::run(cli, &plan, &mut report).await?;
    println!("\n{report}");
    if let Some(path) = &cli.json {
        std::fs::write(path, serde_json::to_vec_pretty(&report.to_json())?)?;
        println!("the raw figures are in {}", path.display());
    }
    // A missed aim is a figure; a subject that could not be measured is a fault.
    anyhow::ensure!(!report.any_failed(), "not everything could be measured");
    Ok(())
}
