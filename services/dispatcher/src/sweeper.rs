//! Looks for what got lost: leases that ran out, calls the bus forgot or that waited too long, old records, blobs
//! nobody names.

mod blobs;

use crate::adopt;
use crate::core::Core;
use eventflow_domain::error::Chain;
use eventflow_domain::lifecycle::{Policy, State};
use eventflow_domain::ports::QueueStats;
use eventflow_domain::spec::{QueuePolicy, RetryPolicy};
use eventflow_domain::{Error, FunctionKey, Result, Timestamp};
use futures::StreamExt as _;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// Records touched in one transaction.
const BATCH: u32 = 500;
/// A call is published again at most so often.
const REPUBLISH_AFTER: Duration = Duration::from_secs(60);
/// Between two tries to publish again what the bus has forgotten.
const RETRY: Duration = Duration::from_secs(1);
/// How far the clocks of bus and record may be apart; what they are more is repaired later.
const SKEW: Duration = Duration::from_secs(1);
/// Removals of one pass, so that a large backlog does not keep the store busy.
const RETAIN_ROUNDS: u32 = 50;

/// Lost leases: at once at start, where every other worker is dead, then every `sweep_every`.
pub(crate) async fn leases(core: Arc<Core>) {
    let (mut others_dead, mut looked_at) = (core.config.sole, None);
    loop {
        let swept = look(&core, looked_at, others_dead).await;
        if swept.is_ok() {
            (others_dead, looked_at) = (false, Some(core.ports.clock.now()));
        }
        if rest(&core, swept, core.config.sweep_every).await.is_none() {
            return;
        }
    }
}

/// Where the record was out of reach, or this machine asleep, leases of workers that live ran out with those of
/// the dead. So they are renewed first, and other workers get the time to renew theirs.
async fn look(core: &Arc<Core>, last: Option<Timestamp>, others_dead: bool) -> Result<()> {
    let lease = core.config.lease;
    let away = last.is_none_or(|last| core.ports.clock.now().since(last) > lease / 2);
    if away {
        core.leases.renew(&core.ports.store, &core.worker, lease).await?;
        if !core.config.sole {
            core.stop.run_until_cancelled(tokio::time::sleep(lease / 3)).await;
        }
    }
    // What hangs until the record is back must not be the first that it hears.
    let swept = tokio::time::timeout(lease / 3, sweep(core, others_dead)).await;
    swept.unwrap_or_else(|_| Err(Error::unavailable("the record does not answer")))
}

async fn sweep(core: &Arc<Core>, others_dead: bool) -> Result<()> {
    // What the function's retries say does not matter: a lost attempt does not count against them.
    let policy = Policy { retry: RetryPolicy::default(), max_lost: core.config.limits.max_lost };
    // What still runs without its worker is taken over first, and what cannot be seen now is left alone.
    let spare = adopt::adopt(core, BATCH).await?;
    loop {
        let swept = core.ports.store.sweep(&core.worker, others_dead, policy, BATCH, &spare).await?;
        for record in &swept {
            core.ports.metrics.function(&record.function).lost();
            tracing::warn!(invocation_id = %record.invocation, state = %record.state, "the attempt was lost");
        }
        core.tell_swept(&swept);
        if swept.iter().any(|record| record.state == State::Queued) {
            core.relay.wake();
        }
        if swept.len() < BATCH as usize {
            break;
        }
    }
    let oldest = core.ports.store.outbox_next().await?;
    let now = core.ports.clock.now();
    core.ports.metrics.set_outbox_lag(oldest.map_or(Duration::ZERO, |due| now.since(due)));
    Ok(())
}

/// The queues: all of them at start, where the bus may be new, and whenever it says that it is; then those that look
/// forgotten.
pub(crate) async fn queues(core: Arc<Core>) {
    let mut forgot = core.ports.bus.forgot();
    // What was published before is to be published again.
    let mut forgotten = Some(core.ports.clock.now());
    let mut shown = HashSet::new();
    loop {
        let mut done = Ok(());
        if let Some(before) = forgotten {
            done = republish_all(&core, before).await;
            if done.is_ok() {
                forgotten = None;
            }
        }
        if done.is_ok() {
            done = repair(&core, &mut shown).await;
        }
        // What is known to be forgotten waits for nothing but the record.
        let pause = if done.is_err() && forgotten.is_some() { RETRY } else { core.config.repair_every };
        tokio::select! {
            on = rest(&core, done, pause.min(core.config.repair_every)) => if on.is_none() { return },
            Some(at) = forgot.next() => {
                // Its clock is not ours: what it had may look a little younger than itself.
                let before = (at + SKEW).min(core.ports.clock.now());
                forgotten = Some(forgotten.map_or(before, |earlier| earlier.max(before)));
            }
        }
    }
}

async fn repair(core: &Core, shown: &mut HashSet<FunctionKey>) -> Result<()> {
    let stats = core.ports.store.queue_stats().await?;
    show(core, &stats, shown);
    for function in waiting(&stats) {
        expire(core, function).await?;
        let Some(depth) = core.ports.bus.depth(function).await? else { continue };
        // Counted after the bus: what is claimed in between has a message there, and none here.
        let before = core.ports.clock.now() - REPUBLISH_AFTER;
        if core.ports.store.published(function, before).await? > depth {
            republish(core, function, before).await?;
        } else if depth > 0 {
            // A word of the bus may have been missed.
            core.slots.queued(function);
        }
    }
    Ok(())
}

fn waiting(stats: &[QueueStats]) -> impl Iterator<Item = &FunctionKey> {
    stats.iter().filter(|queue| queue.queued + queue.retrying > 0).map(|queue| &queue.function)
}

async fn expire(core: &Core, function: &FunctionKey) -> Result<()> {
    let declared = core.ports.registry.get(function);
    let max_age =
        declared.map_or_else(|| QueuePolicy::default().max_age, |function| function.spec.queue.max_age);
    loop {
        let expired = core.ports.store.expire(function, max_age, BATCH).await?;
        core.tell_swept(&expired);
        if expired.len() < BATCH as usize {
            return Ok(());
        }
    }
}

/// All that waits and was published before that time.
async fn republish_all(core: &Core, before: Timestamp) -> Result<()> {
    let stats = core.ports.store.queue_stats().await?;
    for function in waiting(&stats) {
        republish(core, function, before).await?;
    }
    Ok(())
}

async fn republish(core: &Core, function: &FunctionKey, before: Timestamp) -> Result<()> {
    loop {
        let written = core.ports.store.republish(Some(function), before, BATCH).await?;
        if written > 0 {
            tracing::info!(%function, written, "published waiting calls again");
            core.relay.wake();
        }
        if written < u64::from(BATCH) {
            return Ok(());
        }
    }
}

/// Gauges of the queues; one that is empty now is shown as empty.
fn show(core: &Core, stats: &[QueueStats], shown: &mut HashSet<FunctionKey>) {
    let now = core.ports.clock.now();
    let mut filled = HashSet::with_capacity(stats.len());
    let (mut backlog, mut longest) = (0, Duration::ZERO);
    for queue in stats {
        let oldest = queue.oldest_queued.map_or(Duration::ZERO, |oldest| now.since(oldest));
        core.ports.metrics.function(&queue.function).set_queue(queue.queued + queue.retrying, oldest);
        filled.insert(queue.function.clone());
        backlog += queue.queued + queue.retrying;
        longest = longest.max(oldest);
    }
    core.queues.saw(backlog, longest);
    for empty in shown.difference(&filled) {
        if core.ports.registry.get(empty).is_some() {
            core.ports.metrics.function(empty).set_queue(0, Duration::ZERO);
        }
    }
    *shown = filled;
}

/// Old records and unused blobs.
pub(crate) async fn retention(core: Arc<Core>) {
    // Not at start, where there is more urgent work.
    let mut done = Ok(());
    while rest(&core, done, core.config.retain_every).await.is_some() {
        done = retain_all(&core).await;
    }
}

async fn retain_all(core: &Core) -> Result<()> {
    retain(core).await?;
    let before = core.ports.clock.now() - core.config.blob_min_age;
    let in_use = |keys| core.ports.store.blobs_in_use(keys);
    let collected = blobs::collect(&*core.ports.blobs, before, in_use).await?;
    if collected.removed > 0 {
        let blobs::Collected { removed, bytes, kept } = collected;
        tracing::debug!(removed, bytes, kept, "removed unused blobs");
    }
    Ok(())
}

async fn retain(core: &Core) -> Result<()> {
    for _ in 0..RETAIN_ROUNDS {
        let report = core.ports.store.retain(&core.config.retention).await?;
        if report.removed > 0 {
            tracing::debug!(removed = report.removed, "removed old records");
        }
        if !report.more {
            break;
        }
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Says what went wrong and waits for the next pass; `None` = the dispatcher stops.
async fn rest(core: &Core, done: Result<()>, pause: Duration) -> Option<()> {
    if let Err(error) = done {
        tracing::warn!(error = %Chain(&error), "a sweep failed, trying again");
    }
    core.stop.run_until_cancelled(tokio::time::sleep(pause)).await
}
