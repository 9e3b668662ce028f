#![cfg(test)]
//! The adapters against the contract of their port, and what is their own.

mod crash;
mod folder;
mod group;
mod postgres;
mod slots;
mod steps;

use eventflow_domain::ports::Clock;
use eventflow_store::{Options, SqliteStore};
use eventflow_testkit::ManualClock;
use eventflow_testkit::contract::store::Room;
use futures::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

async fn setup() -> (TempDir, Room) {
    setup_with(Options::default()).await
}

async fn setup_with(options: Options) -> (TempDir, Room) {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(ManualClock::default());
    let store = open_with(folder.path(), &clock, options).await;
    (folder, Room { store: Arc::new(store), clock })
}

async fn open_with(folder: &Path, clock: &Arc<ManualClock>, options: Options) -> SqliteStore {
    SqliteStore::open(folder, Arc::clone(clock) as Arc<dyn Clock>, options).await.expect("should open")
}

async fn open(folder: &Path, clock: &Arc<ManualClock>) -> SqliteStore {
    open_with(folder, clock, Options::default()).await
}

mod contract {
    use super::setup;
    eventflow_testkit::store_contract!(setup);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_fence_a_stale_worker_decides() {
    let (_folder, room) = setup_with(Options { unfenced: true, ..Options::default() }).await;
    let promise = eventflow_testkit::contract::store::ends::a_stale_settlement_is_refused_and_changes_nothing;
    let kept = AssertUnwindSafe(promise(&room)).catch_unwind().await;
    assert!(kept.is_err(), "the contract should notice");
}
