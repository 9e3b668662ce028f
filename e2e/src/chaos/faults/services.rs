//! Harm to our own processes. A killed one is started again by the fleet.

use crate::chaos::ground::Ground;
use crate::fleet::{Fleet, Replica};
use crate::storm::functions::LATE;
use crate::storm::load::Load;
use rand::RngExt as _;
use rand::rngs::StdRng;
use rustix::process::Signal;
use std::ops::Range;
use std::time::Duration;
use tokio::time::sleep;

/// Longer than the leases of a run.
const ZOMBIE: Range<u64> = 7_000..9_000;
/// Many more than run at once.
const CALLS: usize = 32;

pub(super) fn one<'r>(replicas: &'r [Replica], rng: &mut StdRng) -> &'r Replica {
    &replicas[rng.random_range(0..replicas.len())]
}

pub(super) fn kill(replicas: &[Replica], rng: &mut StdRng) {
    one(replicas, rng).kill();
}

pub(super) async fn stop(replicas: &[Replica], rng: &mut StdRng, seconds: Range<u64>) {
    let (replica, pause) = (one(replicas, rng), rng.random_range(seconds.start * 1000..seconds.end * 1000));
    pause_for(replica, pause).await;
}

/// In the middle of calls whose second attempt runs long enough to be decided by the first.
pub(super) async fn zombie(ground: &Ground, load: &Load, number: usize, rng: &mut StdRng) {
    let (replica, pause) = (one(&ground.fleet.dispatchers, rng), rng.random_range(ZOMBIE));
    load.burst_of(LATE, &format!("zombie-{number}"), CALLS).await;
    pause_for(replica, pause).await;
}

async fn pause_for(replica: &Replica, millis: u64) {
    replica.signal(Signal::STOP);
    sleep(Duration::from_millis(millis)).await;
    replica.signal(Signal::CONT);
}

/// Each gets its time to end, and the next one waits until it is back.
pub(super) async fn roll(fleet: &Fleet) {
    for replica in fleet.replicas() {
        let before = replica.starts();
        replica.signal(Signal::TERM);
        crate::wait::until("a replica that was asked to end is started again", LONG, async || {
            (replica.starts() > before && replica.is_ready().await).then_some(())
        })
        .await;
    }
}

const LONG: Duration = Duration::from_secs(60);
