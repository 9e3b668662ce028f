//! Harm to the broker and the database.

use super::Fault;
use crate::chaos::ground::Ground;
use crate::chaos::streams;
use crate::storm::load::Load;
use eventflow_testkit::servers::Signal;
use eventflow_testkit::servers::nats::Store;
use rand::RngExt as _;
use rand::rngs::StdRng;
use std::ops::Range;
use std::time::Duration;
use tokio::time::sleep;

/// Calls that wait when the broker loses them.
const QUEUE: usize = 150;

pub(super) async fn pause(rng: &mut StdRng, millis: Range<u64>) {
    sleep(Duration::from_millis(rng.random_range(millis))).await;
}

pub(super) async fn kill_nats(ground: &mut Ground, rng: &mut StdRng) {
    ground.fleet.nats.kill().await;
    pause(rng, 100..4_000).await;
    ground.fleet.nats.restart(Store::Kept).await;
}

pub(super) async fn stop_nats(ground: &Ground, rng: &mut StdRng) {
    ground.fleet.nats.signal(Signal::Stop);
    pause(rng, 2_000..8_000).await;
    ground.fleet.nats.signal(Signal::Continue);
}

/// Calls that wait, and that the broker has: else there is nothing that it could lose.
async fn queue(ground: &Ground, load: &Load, name: &str) {
    load.burst(name, QUEUE).await;
    let told = async {
        let left = "SELECT count(*) FROM outbox WHERE published_at IS NULL AND name = 'queued'";
        while ground.fleet.postgres.sql("postgres", left).await != "0" {
            sleep(Duration::from_millis(20)).await;
        }
    };
    // Another process was killed meanwhile, perhaps: then its rows wait for a new holder.
    let _all_told = tokio::time::timeout(Duration::from_secs(5), told).await;
}

pub(super) async fn wipe_nats(ground: &mut Ground, load: &Load, number: usize) {
    queue(ground, load, &format!("wiped-{number}")).await;
    ground.fleet.nats.restart(Store::Wiped).await;
}

/// A supervisor would see nothing of it: the server's own health says that all is well.
pub(super) async fn fill_nats(ground: &Ground, rng: &mut StdRng) {
    let Some(disk) = &ground.small else { return };
    disk.fill(0);
    pause(rng, 4_000..8_000).await;
    disk.free();
}

pub(super) async fn handle_stream(fault: Fault, ground: &Ground, load: &Load, number: usize) {
    queue(ground, load, &format!("stream-{number}")).await;
    let url = ground.fleet.nats.url();
    match fault {
        Fault::DeleteStream => streams::delete(&url).await,
        Fault::EditStream => streams::edit(&url).await,
        _ => streams::purge(&url).await,
    }
}

pub(super) async fn kill_postgres(ground: &mut Ground, rng: &mut StdRng) {
    ground.fleet.postgres.kill();
    pause(rng, 100..4_000).await;
    ground.fleet.postgres.restart().await;
}

pub(super) async fn stop_postgres(ground: &Ground, rng: &mut StdRng) {
    ground.fleet.postgres.signal(Signal::Stop);
    pause(rng, 2_000..8_000).await;
    ground.fleet.postgres.signal(Signal::Continue);
}

pub(super) async fn end_connections(ground: &Ground) {
    let all = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
        WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
    ground.fleet.postgres.sql("postgres", all).await;
}
