//! Async accept: 202 once the call is durable. The calls are delayed by an hour, so that accepting is all that is done:
//! what runs afterwards has figures of its own.

use crate::compare::{Pairs, Side};
use crate::eventflow::{EventFlow, LEAN, PAYLOAD, invoke};
use crate::load::{GrpcCaller, HttpCaller};
use crate::plan::Plan;
use crate::process::{Process, peer};
use crate::report::{Aim, Report};
use anyhow::Result;
use std::path::Path;

const DELAY: i64 = 3600;
const AT_ONCE: [usize; 2] = [64, 1];

pub(super) async fn rest(binary: &Path, plan: &Plan, report: &mut Report) -> Result<()> {
    let (data, bare_data) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let ours = EventFlow::start(binary, &data).await?;
    let bare = peer("rest-accept", Some(bare_data.path())).await?;
    rest_beside(&ours, &bare, "REST accept", plan, report).await
}

pub(super) async fn grpc(binary: &Path, plan: &Plan, report: &mut Report) -> Result<()> {
    let (data, bare_data) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let ours = EventFlow::start(binary, &data).await?;
    let bare = peer("grpc-accept", Some(bare_data.path())).await?;
    grpc_beside(&ours, &bare, "gRPC accept", plan, report).await
}

pub(super) async fn rest_beside(
    ours: &EventFlow,
    bare: &Process,
    subject: &str,
    plan: &Plan,
    report: &mut Report,
) -> Result<()> {
    let image = ours.upload(LEAN).await?;
    for at_once in AT_ONCE {
        let name = format!("rest-{at_once}");
        ours.apply(&name, &image, "job").await?;
        let request = invoke(&name, &format!("delay={DELAY}s"), &ours.token);
        let (our_pid, bare_pid) = (ours.process.pid()?, bare.pid()?);
        let callers = HttpCaller::connect_all(ours.address(), &request, 202, at_once).await?;
        let mut our_side = Side { callers, pid: our_pid };
        let callers = HttpCaller::connect_all(&bare.address, &request, 202, at_once).await?;
        let mut bare_side = Side { callers, pid: bare_pid };
        let pairs = Pairs::measure(plan, &mut our_side, &mut bare_side).await?;
        add(report, &format!("{subject}, c={at_once}"), "bare axum + the same insert", at_once, &pairs);
    }
    Ok(())
}

pub(super) async fn grpc_beside(
    ours: &EventFlow,
    bare: &Process,
    subject: &str,
    plan: &Plan,
    report: &mut Report,
) -> Result<()> {
    let image = ours.upload(LEAN).await?;
    for at_once in AT_ONCE {
        let name = format!("grpc-{at_once}");
        ours.apply(&name, &image, "job").await?;
        let connect = |address: String| {
            let (name, token) = (name.clone(), ours.token.clone());
            async move { GrpcCaller::connect_all(&address, &name, &token, PAYLOAD, DELAY, at_once).await }
        };
        let (our_pid, bare_pid) = (ours.process.pid()?, bare.pid()?);
        let mut our_side = Side { callers: connect(ours.address().to_owned()).await?, pid: our_pid };
        let mut bare_side = Side { callers: connect(bare.address.clone()).await?, pid: bare_pid };
        let pairs = Pairs::measure(plan, &mut our_side, &mut bare_side).await?;
        add(report, &format!("{subject}, c={at_once}"), "bare tonic + the same insert", at_once, &pairs);
    }
    Ok(())
}

fn add(report: &mut Report, subject: &str, peer: &str, at_once: usize, pairs: &Pairs) {
    report.pairs(subject, peer, pairs);
    if at_once == 1 {
        report.ratio(subject, "p50 by p50", pairs.ratios(|f| f.p50), "x", Some(Aim::AtMost(1.3)));
        let spread = pairs.ours.iter().map(|f| f.p99 / f.p50).collect();
        report.ratio(subject, "p99 by its own p50", spread, "x", Some(Aim::AtMost(3.0)));
    } else {
        report.ratio(subject, "rate by rate", pairs.ratios(|f| f.rate), "x", Some(Aim::AtLeast(0.6)));
    }
    report.ratio(subject, "CPU by CPU of a call", pairs.ratios(|f| f.cpu), "x", None);
}
