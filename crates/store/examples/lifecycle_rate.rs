//! Whole lives of queued calls per second, as a dispatcher leads them: the outbox is emptied, calls are claimed in
//! batches and settled one by one, many at once. Beside the time, the processor time of each life, which says more on
//! a busy machine: `cargo run --release -p eventflow-store --example lifecycle_rate`.
#![expect(clippy::print_stdout, reason = "it reports")]
#![expect(clippy::disallowed_methods, reason = "it measures")]

use eventflow_domain::InvocationId;
use eventflow_domain::lifecycle::Verdict;
use eventflow_domain::ports::{Claim, ClaimRequest, NewInvocation};
use eventflow_store::{Options, SqliteStore};
use eventflow_testkit::ManualClock;
use eventflow_testkit::contract::store::{Callee, Room, worker};
use futures::{StreamExt as _, TryStreamExt as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

const CALLS: usize = 20_000;
const ALONE: usize = 500;
/// Calls that run at once; claimed this many at a time.
const SHAPES: [(usize, usize); 3] = [(50, 16), (128, 64), (256, 64)];
const LEASE: Duration = Duration::from_secs(30);
const AGE: Duration = Duration::from_secs(3600);

type Any = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Any> {
    for (runs, batch) in SHAPES {
        let folder = tempfile::tempdir()?;
        let clock = Arc::new(ManualClock::default());
        let store = SqliteStore::open(folder.path(), Arc::clone(&clock) as _, Options::default()).await?;
        let room = Arc::new(Room { store: Arc::new(store.clone()), clock });
        let ids = accept(&room, CALLS).await?;
        let relayed = Meter::start()?;
        relay(&room).await?;
        relayed.report("relay, 500 at once", CALLS)?;
        let lived = Meter::start()?;
        futures::stream::iter(ids.chunks(batch).map(Ok))
            .try_for_each_concurrent(runs.div_ceil(batch), |ids| lives(&room, ids))
            .await?;
        lived.report(&format!("claim + settle, {runs} runs, claims of {batch}"), CALLS)?;
        alone(&room).await?;
        store.close().await;
    }
    Ok(())
}

async fn accept(room: &Arc<Room>, calls: usize) -> Result<Vec<InvocationId>, Any> {
    let callee = Callee::new("f");
    let accepts = (0..calls).map(|_| {
        let (room, call) = (Arc::clone(room), NewInvocation { queue_max: u32::MAX, ..room.call(&callee) });
        async move {
            let id = call.id;
            room.store.accept(call).await.map(|_| id)
        }
    });
    Ok(futures::stream::iter(accepts).buffer_unordered(256).try_collect().await?)
}

async fn relay(room: &Room) -> Result<(), Any> {
    loop {
        let rows = room.store.outbox_due(500).await?;
        if rows.is_empty() {
            return Ok(());
        }
        room.store.outbox_done(rows.iter().map(|row| row.seq).collect()).await?;
    }
}

async fn lives(room: &Arc<Room>, ids: &[InvocationId]) -> Result<(), Any> {
    let requests = ids.iter().map(|&invocation| ClaimRequest { invocation, max_age: AGE }).collect();
    let claims = room.store.claim(requests, &worker("a"), LEASE).await?;
    let runs = claims.into_iter().filter_map(|claim| match claim {
        Claim::Claimed(record) => Some(room.end(record.id, record.lifecycle.epoch, Verdict::Succeeded)),
        _ => None,
    });
    futures::future::try_join_all(runs.map(|end| room.store.settle(end))).await?;
    Ok(())
}

/// One life after the other: how long a claim and a settlement take when nothing shares their commits.
async fn alone(room: &Arc<Room>) -> Result<(), Any> {
    let ids = accept(room, ALONE).await?;
    let (mut claims, mut ends) = (Vec::new(), Vec::new());
    for id in ids {
        let started = Instant::now();
        let epoch = room.claimed(id, &worker("a")).await.lifecycle.epoch;
        claims.push(started.elapsed());
        let started = Instant::now();
        room.settled(room.end(id, epoch, Verdict::Succeeded)).await;
        ends.push(started.elapsed());
    }
    println!("alone, p50: claim {:?}, settle {:?}", median(claims), median(ends));
    Ok(())
}

fn median(mut waits: Vec<Duration>) -> Duration {
    waits.sort_unstable();
    waits.get(waits.len() / 2).copied().unwrap_or_default()
}

struct Meter {
    since: Instant,
    ticks: u64,
}

impl Meter {
    fn start() -> Result<Self, Any> {
        Ok(Self { since: Instant::now(), ticks: ticks()? })
    }

    fn report(&self, what: &str, count: usize) -> Result<(), Any> {
        /// Of Linux, in each second.
        const TICKS: u64 = 100;
        let (took, ticks) = (self.since.elapsed(), ticks()? - self.ticks);
        let rate = count as f64 / took.as_secs_f64();
        let each = (ticks * 1_000_000 / TICKS) as f64 / count as f64;
        println!("{what}: {rate:.0}/s, {each:.1} us of processor time each");
        Ok(())
    }
}

/// Processor time of this process so far, user and system.
fn ticks() -> Result<u64, Any> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let mut fields = after_name.split_whitespace().skip(11).map(str::parse::<u64>);
    let mut next = || fields.next().ok_or("too few fields")?.map_err(Any::from);
    Ok(next()? + next()?)
}
