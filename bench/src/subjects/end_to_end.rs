//! Accept to result: one async call after the other, each until its result is read.

use crate::compare::{Pairs, Side};
use crate::eventflow::{EventFlow, LEAN, invoke};
use crate::load::{Caller as _, HttpCaller, ResultCaller};
use crate::plan::Plan;
use crate::process::{Process, peer};
use crate::report::{Aim, Report};
use anyhow::{Result, ensure};
use std::path::Path;

pub(super) async fn local(binary: &Path, plan: &Plan, report: &mut Report) -> Result<()> {
    let (data, bare_data) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let ours = EventFlow::start(binary, &data).await?;
    let bare = peer("rest-accept", Some(bare_data.path())).await?;
    beside(&ours, &bare, "accept to result", plan, report).await
}

/// The peer only accepts: what else it takes to run a call durably is what is measured.
pub(super) async fn beside(
    ours: &EventFlow,
    bare: &Process,
    subject: &str,
    plan: &Plan,
    report: &mut Report,
) -> Result<()> {
    let image = ours.upload(LEAN).await?;
    ours.apply("no-op", &image, "job").await?;
    let request = invoke("no-op", "", &ours.token);
    let mut caller = ResultCaller::connect(ours.address(), &request, &ours.token).await?;
    // The first call waits until the code is compiled and the dispatcher knows of the function.
    ensure!(caller.call().await?, "the first call did not succeed");
    let callers = vec![caller];
    let mut our_side = Side { callers, pid: ours.process.pid()? };
    let callers = HttpCaller::connect_all(&bare.address, &request, 202, 1).await?;
    let mut bare_side = Side { callers, pid: bare.pid()? };
    let pairs = Pairs::measure(plan, &mut our_side, &mut bare_side).await?;
    let subject = format!("{subject}, c=1");
    report.pairs(&subject, "bare axum + insert, accept only", &pairs);
    report.ratio(
        &subject,
        "p50 by p50 of a bare accept",
        pairs.ratios(|f| f.p50),
        "x",
        Some(Aim::AtMost(3.0)),
    );
    let p99 = pairs.ours.iter().map(|f| f.p99 / 1e3).collect();
    report.ratio(&subject, "p99", p99, " ms", Some(Aim::AtMost(10.0)));
    Ok(())
}
