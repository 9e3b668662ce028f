//! Promises of the port `SlotStore`, on both adapters.

use eventflow_domain::FunctionUid;
use eventflow_domain::ports::{SlotStore, SlotWant};
use eventflow_store::Options;
use eventflow_testkit::ManualClock;
use eventflow_testkit::contract::store::worker;
use futures::future::join_all;
use std::sync::Arc;
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(30);

async fn lease(store: &dyn SlotStore, function: FunctionUid, by: &str, want: u32, used: u32) -> u32 {
    let want = SlotWant { function, limit: 10, want, used, running: used.min(2) };
    let granted = store.lease_slots(vec![want], &worker(by), LEASE).await.expect("an answer");
    granted[0]
}

/// As two processes would see it.
async fn kept(stores: [&dyn SlotStore; 2], clock: &ManualClock) {
    let [one, other] = stores;
    let (function, lonely) = (FunctionUid::generate(), FunctionUid::generate());
    // Who comes first gets all; who comes then, a fair share as soon as the first renews.
    assert_eq!(lease(one, function, "a", 20, 0).await, 10);
    assert_eq!(lease(other, function, "b", 20, 0).await, 0);
    assert_eq!(lease(one, function, "a", 20, 7).await, 7, "what runs is not taken away");
    assert_eq!(lease(other, function, "b", 20, 0).await, 3);
    assert_eq!(lease(one, function, "a", 20, 2).await, 5);
    assert_eq!(lease(other, function, "b", 20, 3).await, 5);
    let mut used = other.slots_used().await.expect("an answer");
    used.retain(|(of, _)| *of == function);
    assert_eq!(used, [(function, 4)], "what runs: 2 of one and 2 of the other, whatever they hold on to");
    // Another function is another matter; answers come in order.
    let wants = [(function, 1), (lonely, 4)].map(|(function, want)| SlotWant {
        function,
        limit: 10,
        want,
        used: 1,
        running: 1,
    });
    assert_eq!(other.lease_slots(wants.to_vec(), &worker("b"), LEASE).await.expect("grants"), [1, 4]);
    assert_eq!(lease(one, function, "a", 20, 5).await, 9, "what one does not want is for the other");
    // The first is gone.
    clock.advance(LEASE / 2);
    assert_eq!(lease(other, function, "b", 20, 1).await, 1);
    clock.advance(LEASE / 2);
    assert_eq!(lease(other, function, "b", 20, 1).await, 10);
    // All at once: never more than there are.
    let anew = FunctionUid::generate();
    let names: Vec<String> = (0..12).map(|n| format!("w{n}")).collect();
    for _ in 0..4 {
        let asked = names.iter().enumerate().map(|(n, by)| lease(stores[n % 2], anew, by, 3, 0));
        let sum: u32 = join_all(asked).await.iter().sum();
        assert!(sum <= 10, "{sum} of 10");
    }
    let asked = names.iter().enumerate().map(|(n, by)| lease(stores[n % 2], anew, by, 3, 0));
    assert_eq!(join_all(asked).await.iter().sum::<u32>(), 10, "none is left idle");
    clock.advance(LEASE * 2);
    assert_eq!(one.slots_used().await.expect("an answer"), [], "what nobody holds is not in use");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_are_shared_and_never_more_than_the_limit_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(ManualClock::default());
    let store = super::open_with(folder.path(), &clock, Options::default()).await;
    kept([&store, &store], &clock).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_are_shared_and_never_more_than_the_limit_on_postgresql() {
    let database = super::postgres::Database::new().await;
    let clock = Arc::new(ManualClock::default());
    let one = super::postgres::open(&database.url, &clock).await;
    let other = super::postgres::open(&database.url, &clock).await;
    kept([&one, &other], &clock).await;
}
