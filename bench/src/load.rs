//! Closed-loop load: so many callers, each with one call under way, for a given time.

mod grpc;
mod http;
mod jetstream;
mod result;

pub(crate) use grpc::GrpcCaller;
pub(crate) use http::{HttpCaller, Request};
pub(crate) use jetstream::{PublishCaller, Raw};
pub(crate) use result::ResultCaller;

use anyhow::{Context as _, Result};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Longest that one answer may take before the measurement is given up.
const STUCK: Duration = Duration::from_secs(30);

/// Makes one call after the other.
pub(crate) trait Caller: Send + 'static {
    /// `Ok(false)`: an answer came, and it is not the one that was asked for.
    fn call(&mut self) -> impl Future<Output = Result<bool>> + Send;
}

/// The latencies of all good answers in nanoseconds, the number of wrong ones, and the time it took.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) nanos: Vec<u32>,
    pub(crate) wrong: u64,
    pub(crate) took: Duration,
}

/// Runs until `time` is over, or until `calls` calls were begun. The callers are there again afterwards.
pub(crate) async fn closed_loop<C: Caller>(
    callers: &mut Vec<C>,
    time: Duration,
    calls: usize,
) -> Result<Loaded> {
    let each = calls.div_ceil(callers.len().max(1));
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for caller in callers.drain(..) {
        tasks.spawn(one(caller, started + time, each));
    }
    let mut loaded = Loaded::default();
    let end = tokio::time::timeout(time + STUCK, async {
        while let Some(task) = tasks.join_next().await {
            let (caller, nanos, wrong) = task??;
            callers.push(caller);
            loaded.nanos.extend(nanos);
            loaded.wrong += wrong;
        }
        anyhow::Ok(())
    });
    end.await.context("answers did not come")??;
    loaded.took = started.elapsed();
    Ok(loaded)
}

async fn one<C: Caller>(mut caller: C, until: Instant, calls: usize) -> Result<(C, Vec<u32>, u64)> {
    let (mut nanos, mut wrong) = (Vec::with_capacity(calls.min(1 << 16)), 0);
    let mut before = Instant::now();
    while before < until && nanos.len() < calls {
        let good = caller.call().await?;
        let now = Instant::now();
        if good {
            nanos.push(u32::try_from((now - before).as_nanos()).unwrap_or(u32::MAX));
        } else {
            wrong += 1;
        }
        before = now;
    }
    Ok((caller, nanos, wrong))
}
