//! Memory before load, and after 10,000 calls and a rest: two thirds of them sync, a third async and run.

use crate::eventflow::{EventFlow, LEAN};
use crate::guest;
use crate::load::{HttpCaller, closed_loop};
use crate::plan::Plan;
use crate::process::{cpu_time, memory};
use crate::report::{Aim, Report};
use anyhow::{Result, ensure};
use std::path::Path;
use std::time::Duration;
use tokio::time::sleep;

const AT_ONCE: usize = 50;
const SUBJECT: &str = "memory (resident)";
const MIB: f64 = (1 << 20) as f64;

pub(super) async fn measure(binary: &Path, plan: &Plan, report: &mut Report) -> Result<()> {
    let data = tempfile::tempdir()?;
    {
        // Declared by an earlier life, so that "before load" is not "after compiling".
        let earlier = EventFlow::start(binary, &data).await?;
        earlier.apply("lean", &earlier.upload(LEAN).await?, "job").await?;
        if let Ok(component) = guest::build().await {
            earlier.apply("echo", &earlier.upload(std::fs::read(component)?).await?, "http").await?;
        }
        earlier.process.kill().await?;
    }
    let ours = EventFlow::start(binary, &data).await?;
    let pid = ours.process.pid()?;
    sleep(Duration::from_secs(3)).await;
    let (idle, _) = memory(pid)?;
    let with_component = guest::build().await.is_ok();
    let second = if with_component { "echo" } else { "lean" };
    load(&ours, "lean", "wait=30s", 200, 5000).await?;
    load(&ours, second, "wait=30s", 200, 2000).await?;
    load(&ours, "lean", "", 202, 3000).await?;
    let (_, most) = memory(pid)?;
    sleep(plan.rest / 2).await;
    let before = cpu_time(pid)?;
    sleep(plan.rest / 2).await;
    let idle_cpu = (cpu_time(pid)?.saturating_sub(before)).as_secs_f64() / (plan.rest / 2).as_secs_f64();
    let (after, _) = memory(pid)?;
    let mib = |bytes: u64| vec![bytes as f64 / MIB];
    report.values(SUBJECT, "before load", mib(idle), " MiB", Some(Aim::AtMost(60.0)));
    let figure = format!("{:?} after 10,000 calls", plan.rest);
    report.ratio(SUBJECT, &figure, mib(after), " MiB", Some(Aim::AtMost(120.0)));
    report.ratio(SUBJECT, "most", mib(most), " MiB", None);
    report.ratio(SUBJECT, "CPU while nothing is asked", vec![idle_cpu * 100.0], " %", None);
    Ok(())
}

async fn load(ours: &EventFlow, name: &str, query: &str, expected: u16, calls: usize) -> Result<()> {
    let request = ours.invoke(name, query);
    let mut callers = HttpCaller::connect_all(ours.address(), &request, expected, AT_ONCE).await?;
    let loaded = closed_loop(&mut callers, Duration::from_secs(60), calls).await?;
    ensure!(
        loaded.wrong == 0 && loaded.nanos.len() == calls,
        "{} of {calls} calls of {name}",
        loaded.nanos.len()
    );
    Ok(())
}
