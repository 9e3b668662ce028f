//! From nothing to the first answer.

use crate::eventflow::{self, EventFlow, LEAN, invoke};
use crate::guest;
use crate::load::HttpCaller;
use crate::plan::Plan;
use crate::report::{Aim, Report};
use crate::stats::millis;
use anyhow::{Result, ensure};
use std::path::Path;
use tokio::time::Instant;

const FUNCTIONS: usize = 100;

/// The first call after a SIGKILL and a restart: its code is loaded from the cache of compiled code.
pub(super) async fn restart(binary: &Path, plan: &Plan, report: &mut Report) -> Result<()> {
    let data = tempfile::tempdir()?;
    let ours = EventFlow::start(binary, &data).await?;
    let token = ours.token.clone();
    let mut functions = vec!["lean"];
    ours.apply("lean", &ours.upload(LEAN).await?, "job").await?;
    match guest::build().await {
        Ok(component) => {
            ours.apply("echo", &ours.upload(std::fs::read(component)?).await?, "http").await?;
            functions.push("echo");
        }
        Err(error) => report.skipped("first call after restart, wasi:http", &format!("{error:#}")),
    }
    ours.process.kill().await?;
    for name in functions {
        let mut firsts = Vec::with_capacity(plan.starts);
        for _ in 0..plan.starts {
            let process = eventflow::spawn(binary, &data).await?;
            let called = Instant::now();
            first_call(&process.address, name, &token).await?;
            firsts.push(millis(called.elapsed()));
            process.kill().await?;
        }
        let kind = if name == "lean" { "lean wasm" } else { "wasi:http" };
        let subject = format!("first call after restart, {kind}");
        report.values(&subject, "ready to answer", firsts, " ms", Some(Aim::AtMost(5.0)));
    }
    Ok(())
}

/// From exec to the first answer, with a hundred functions registered, each with code of its own.
pub(super) async fn hundred(binary: &Path, plan: &Plan, report: &mut Report) -> Result<()> {
    let data = tempfile::tempdir()?;
    let ours = EventFlow::start(binary, &data).await?;
    for n in 0..FUNCTIONS {
        let code = LEAN.replace("(i32.const 1024)", &format!("(i32.const {})", 1024 + n * 16));
        ours.apply(&format!("f{n}"), &ours.upload(code).await?, "job").await?;
    }
    let token = ours.token.clone();
    ours.process.kill().await?;
    let (mut readies, mut firsts) = (Vec::new(), Vec::new());
    for n in 0..plan.starts {
        let started = Instant::now();
        let process = eventflow::spawn(binary, &data).await?;
        readies.push(millis(started.elapsed()));
        first_call(&process.address, &format!("f{}", n * 37 % FUNCTIONS), &token).await?;
        firsts.push(millis(started.elapsed()));
        process.kill().await?;
    }
    let subject = format!("start with {FUNCTIONS} functions");
    report.values(&subject, "exec to the first answer", firsts, " ms", Some(Aim::AtMost(300.0)));
    report.ratio(&subject, "of it, exec to the ready line", readies, " ms", None);
    Ok(())
}

async fn first_call(address: &str, name: &str, token: &str) -> Result<()> {
    let request = invoke(name, "wait=5s", token);
    let (status, body) = HttpCaller::connect(address, &request, 200).await?.exchange().await?;
    ensure!(status == 200, "{name} answered {status}: {}", String::from_utf8_lossy(&body));
    Ok(())
}
