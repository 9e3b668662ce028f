//! A durable accept beside JetStream where it is as durable: `sync_interval: always`, one fsync for each message.

use crate::compare::{Pairs, Side};
use crate::eventflow::{EventFlow, LEAN, PAYLOAD, invoke};
use crate::load::{HttpCaller, PublishCaller};
use crate::plan::Plan;
use crate::report::{Aim, Report};
use anyhow::Result;
use eventflow_testkit::servers::nats::{NatsServer, Options};
use std::path::Path;

const AT_ONCE: usize = 64;

pub(super) async fn measure(binary: &Path, plan: &Plan, report: &mut Report) -> Result<()> {
    let data = tempfile::tempdir()?;
    let ours = EventFlow::start(binary, &data).await?;
    ours.apply("durable", &ours.upload(LEAN).await?, "job").await?;
    let nats = NatsServer::start_with(Options { sync_always: true, ..Options::default() }).await;
    let request = invoke("durable", "delay=3600s", &ours.token);
    let callers = HttpCaller::connect_all(ours.address(), &request, 202, AT_ONCE).await?;
    let mut our_side = Side { callers, pid: ours.process.pid()? };
    let callers = PublishCaller::connect_all(&nats.url(), PAYLOAD, AT_ONCE).await?;
    let mut bare_side = Side { callers, pid: nats.pid() };
    let pairs = Pairs::measure(plan, &mut our_side, &mut bare_side).await?;
    let subject = format!("durable accept, c={AT_ONCE}");
    report.pairs(&subject, "JetStream, sync_interval: always", &pairs);
    report.ratio(&subject, "rate by rate", pairs.ratios(|f| f.rate), "x", Some(Aim::AtLeast(4.0)));
    Ok(())
}
