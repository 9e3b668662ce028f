//! Sync calls over REST, with authentication and record.

use crate::args::Cli;
use crate::compare::{Pairs, Side};
use crate::eventflow::{EventFlow, LEAN, PAYLOAD};
use crate::guest;
use crate::load::{HttpCaller, Request};
use crate::plan::Plan;
use crate::process::{Process, peer};
use crate::report::{Aim, Report};
use anyhow::{Context as _, Result, ensure};
use std::path::{Path, PathBuf};
use tokio::process::Command;

pub(super) async fn lean(binary: &Path, plan: &Plan, report: &mut Report) -> Result<()> {
    let data = tempfile::tempdir()?;
    let ours = EventFlow::start(binary, &data).await?;
    let bare = peer("constant", None).await?;
    ours.apply("lean", &ours.upload(LEAN).await?, "job").await?;
    for at_once in [64, 1] {
        let subject = format!("sync REST, lean wasm, c={at_once}");
        let request = ours.invoke("lean", "wait=5s");
        let callers = HttpCaller::connect_all(ours.address(), &request, 200, at_once).await?;
        let mut our_side = Side { callers, pid: ours.process.pid()? };
        let callers = HttpCaller::connect_all(&bare.address, &request, 200, at_once).await?;
        let mut bare_side = Side { callers, pid: bare.pid()? };
        let pairs = Pairs::measure(plan, &mut our_side, &mut bare_side).await?;
        report.pairs(&subject, "axum, a constant", &pairs);
        let aim = (at_once > 1).then_some(Aim::AtLeast(0.5));
        report.ratio(&subject, "rate by rate", pairs.ratios(|f| f.rate), "x", aim);
        report.ratio(&subject, "CPU by CPU of a call", pairs.ratios(|f| f.cpu), "x", None);
    }
    Ok(())
}

pub(super) async fn component(binary: &Path, cli: &Cli, plan: &Plan, report: &mut Report) -> Result<()> {
    const SUBJECT: &str = "sync REST, wasi:http";
    let component = match guest::build().await {
        Ok(component) => component,
        Err(error) => {
            report.skipped(SUBJECT, &format!("{error:#}"));
            return Ok(());
        }
    };
    let wasmtime = cli.wasmtime.clone().unwrap_or_else(|| PathBuf::from("wasmtime"));
    if !is_there(&wasmtime).await {
        report.skipped(SUBJECT, "no wasmtime: name its command line by WASMTIME_BIN");
        return Ok(());
    }
    let data = tempfile::tempdir()?;
    let ours = EventFlow::start(binary, &data).await?;
    ours.apply("echo", &ours.upload(std::fs::read(&component)?).await?, "http").await?;
    let serve = serve(&wasmtime, &component).await?;
    for at_once in [64, 1] {
        let subject = format!("{SUBJECT}, c={at_once}");
        let callers = echoing(ours.address(), &ours.invoke("echo", "wait=5s"), at_once).await?;
        let mut our_side = Side { callers, pid: ours.process.pid()? };
        let callers = echoing(&serve.address, &Request::post("/", PAYLOAD), at_once).await?;
        let mut serve_side = Side { callers, pid: serve.pid()? };
        let pairs = Pairs::measure(plan, &mut our_side, &mut serve_side).await?;
        report.pairs(&subject, "wasmtime serve, tuned", &pairs);
        let aim = (at_once > 1).then_some(Aim::AtLeast(1.0));
        report.ratio(&subject, "rate by rate", pairs.ratios(|f| f.rate), "x", aim);
        report.ratio(&subject, "CPU by CPU of a call", pairs.ratios(|f| f.cpu), "x", None);
    }
    Ok(())
}

/// Callers of a server that was seen to echo.
async fn echoing(address: &str, request: &Request, count: usize) -> Result<Vec<HttpCaller>> {
    let mut callers = HttpCaller::connect_all(address, request, 200, count).await?;
    let first = callers.first_mut().context("no caller")?;
    let (status, body) = first.exchange().await?;
    // Whole, or as the one chunk that it came in.
    let echoed = body.windows(PAYLOAD.len()).any(|window| window == PAYLOAD);
    ensure!(status == 200 && echoed, "{address} does not echo: {status} {}", String::from_utf8_lossy(&body));
    Ok(callers)
}

async fn is_there(wasmtime: &Path) -> bool {
    Command::new(wasmtime).arg("--version").output().await.is_ok_and(|answer| answer.status.success())
}

/// With the settings that make it fastest: a pool whose memory stays resident.
async fn serve(wasmtime: &Path, component: &Path) -> Result<Process> {
    let mut command = Command::new(wasmtime);
    command.args(["serve", "--addr", "127.0.0.1:0", "-S", "cli=y", "-O", "pooling-allocator=y"]);
    command.args(["-O", "memory-init-cow=y", "-O", "pooling-memory-keep-resident=2097152"]);
    command.args(["-O", "pooling-table-keep-resident=65536", "-O", "pooling-pagemap-scan=auto"]);
    command.arg(component);
    Process::start(command, true).await
}
