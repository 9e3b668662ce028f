//! How fast a queue of calls that do nothing is worked off: they are published, and from the start of a dispatcher it
//! takes until the last record is final. Beside it, on the same servers and in the same minute: what the parts of it do alone.

use crate::eventflow::{LEAN, PAYLOAD};
use crate::load::{HttpCaller, Raw, closed_loop};
use crate::peers::Connections;
use crate::plan::Plan;
use crate::process::cpu_time;
use crate::report::{Aim, Report};
use crate::services::Behind;
use anyhow::{Result, ensure};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, query_scalar};
use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const AT_ONCE: usize = 64;
/// Rows of one commit of the bare inserts: as in a batch of the dispatcher.
const GROUP: usize = 64;
const LOOK: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(300);
const SUBJECT: &str = "services: drain";
const UNPUBLISHED: &str = "SELECT count(*) FROM outbox WHERE published_at IS NULL";
const LIVE: &str = "SELECT count(*) FROM invocations WHERE state < 3";

pub(crate) async fn drain(binary: &Path, plan: &Plan, report: &mut Report) -> Result<()> {
    let behind = Behind::start(binary).await?;
    let ours = behind.api().await?;
    ours.apply("no-op", &ours.upload(LEAN).await?, "job").await?;
    let (mut rates, mut accepts, mut raws) = (Vec::new(), Vec::new(), Vec::new());
    let mut cpu = Vec::new();
    let mut look = PgConnectOptions::from_str(&behind.database)?.connect().await?;
    for _ in 0..plan.drains {
        let mut callers =
            HttpCaller::connect_all(ours.address(), &ours.invoke("no-op", ""), 202, AT_ONCE).await?;
        let begun = Instant::now();
        let loaded = closed_loop(&mut callers, LONGEST, plan.queued).await?;
        ensure!(loaded.wrong == 0, "{} calls were not accepted", loaded.wrong);
        let queued = loaded.nanos.len() as f64;
        accepts.push(queued / begun.elapsed().as_secs_f64());
        // Published too, so that what is measured is the way from the broker to the record.
        until_none(&mut look, UNPUBLISHED).await?;
        let begun = Instant::now();
        let dispatcher = behind.dispatcher().await?;
        until_none(&mut look, LIVE).await?;
        rates.push(queued / begun.elapsed().as_secs_f64());
        cpu.push(cpu_time(dispatcher.pid()?)?.as_secs_f64() * 1e6 / queued);
        dispatcher.kill().await?;
        raws.push(raw(&behind, plan.queued).await?);
    }
    let by = |of: fn(&Raws) -> f64| rates.iter().zip(&raws).map(|(rate, raw)| rate / of(raw)).collect();
    report.values(SUBJECT, "accepted while it fills", accepts, "/s", None);
    report.ratio(SUBJECT, "calls to their final record", rates.clone(), "/s", Some(Aim::AtLeast(15_000.0)));
    report.ratio(SUBJECT, "by bare JetStream fetch + ack", by(|raw| raw.consume), "x", None);
    report.ratio(SUBJECT, "by bare grouped inserts", by(|raw| raw.insert), "x", None);
    report.ratio(SUBJECT, "CPU of the dispatcher for a call", cpu, " us", None);
    let each = |of: fn(&Raws) -> f64| raws.iter().map(of).collect::<Vec<_>>();
    report.ratio(SUBJECT, "bare JetStream publish", each(|raw| raw.publish), "/s", None);
    report.ratio(SUBJECT, "bare JetStream fetch + ack", each(|raw| raw.consume), "/s", None);
    report.ratio(SUBJECT, "bare grouped inserts", each(|raw| raw.insert), "/s", None);
    Ok(())
}

/// What the parts do alone, per second.
#[derive(Debug)]
struct Raws {
    publish: f64,
    consume: f64,
    insert: f64,
}

async fn raw(behind: &Behind, count: usize) -> Result<Raws> {
    let raw = Raw::connect(&behind.nats.url()).await?;
    let publish = raw.publish(&PAYLOAD, count).await?;
    let consume = raw.consume(count).await?;
    let mut connections = Connections::open(&behind.another_database().await).await?;
    let begun = Instant::now();
    let rows = connections.fill(count, GROUP, &PAYLOAD).await?;
    Ok(Raws { publish, consume, insert: rows as f64 / begun.elapsed().as_secs_f64() })
}

async fn until_none(conn: &mut PgConnection, count: &'static str) -> Result<()> {
    let begun = Instant::now();
    loop {
        let left: i64 = query_scalar(count).fetch_one(&mut *conn).await?;
        if left == 0 {
            return Ok(());
        }
        ensure!(begun.elapsed() < LONGEST, "{left} rows are left after {LONGEST:?}: {count}");
        sleep(LOOK).await;
    }
}
