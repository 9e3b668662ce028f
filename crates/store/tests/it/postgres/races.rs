//! Several processes on one database.

use super::{Database, open, options, rooms};
use eventflow_domain::lifecycle::Verdict;
use eventflow_domain::ports::{
    Accepted, Claim, ClaimRequest, Clock as _, InvocationFilter, Lease, NewInvocation, Retention, Settled,
};
use eventflow_domain::{Epoch, InvocationId, State};
use eventflow_store::{PostgresOptions, PostgresStore};
use eventflow_testkit::contract::store::{Callee, Room, policy, worker};
use futures::future::join_all;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(30);

async fn due(room: &Room) -> Vec<InvocationId> {
    let rows = room.store.outbox_due(1000).await.expect("rows");
    rows.iter().map(|row| row.message.invocation).collect()
}

/// One after the other of the rooms.
fn of(rooms: &[Room; 2], n: usize) -> &Room {
    &rooms[n % 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_asked_for_by_two_processes_at_once_is_one_call() {
    let (_database, rooms) = rooms::<2>().await;
    let callee = Callee::new("f");
    for round in 0..10 {
        let key = format!("key {round}");
        let calls: Vec<_> = (0..20).map(|n| of(&rooms, n).keyed(&callee, &key, 1)).collect();
        let answers = calls.iter().enumerate().map(|(n, call)| of(&rooms, n).store.accept(call.clone()));
        let mut told = HashSet::new();
        for (call, answer) in calls.iter().zip(join_all(answers).await) {
            told.insert(match answer.expect("should be accepted") {
                Accepted::New => call.id,
                Accepted::Existing(first) => first.id,
            });
        }
        assert_eq!(told.len(), 1, "all were told the same call");
    }
    assert_eq!(rooms[0].store.count(&InvocationFilter::default()).await.expect("a count"), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_unique_key_one_key_is_no_longer_one_call() {
    let (database, [room]) = rooms::<1>().await;
    database.sql("ALTER TABLE idempotency DROP CONSTRAINT idempotency_pkey").await;
    let promise = eventflow_testkit::contract::store::accept::twenty_racing_calls_with_one_key_are_one_call;
    let kept = std::panic::AssertUnwindSafe(promise(&room));
    let kept = futures::FutureExt::catch_unwind(kept).await;
    assert!(kept.is_err(), "the contract should notice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_bound_holds_over_two_processes() {
    let (_database, rooms) = rooms::<2>().await;
    let callee = Callee::new("f");
    let call = |n| NewInvocation { queue_max: 30, ..of(&rooms, n).call(&callee) };
    for _ in 0..3 {
        let answers = join_all((0..60).map(|n| of(&rooms, n).store.accept(call(n)))).await;
        let accepted: Vec<_> = answers.iter().filter(|answer| answer.is_ok()).collect();
        let ids = due(&rooms[0]).await.into_iter().chain(due(&rooms[1]).await).collect::<Vec<_>>();
        assert_eq!((accepted.len(), ids.len()), (30, 30));
        let requests =
            ids.iter().map(|&invocation| ClaimRequest { invocation, max_age: LEASE }).collect::<Vec<_>>();
        rooms[1].store.claim(requests, &worker("a"), LEASE).await.expect("claims");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_claimed_by_two_processes_at_once_has_one_owner() {
    let (_database, rooms) = rooms::<2>().await;
    let callee = Callee::new("f");
    let ids = join_all((0..100).map(|n| of(&rooms, n).accepted(&callee))).await;
    let claims = |room: &Room, by: &str, ids: Vec<InvocationId>| {
        let (store, by) = (Arc::clone(&room.store), worker(by));
        async move {
            let requests =
                ids.iter().map(|&invocation| ClaimRequest { invocation, max_age: LEASE }).collect();
            store.claim(requests, &by, LEASE).await.expect("an answer for each")
        }
    };
    // In opposite orders.
    let back: Vec<_> = ids.iter().rev().copied().collect();
    let (one, other) = tokio::join!(claims(&rooms[0], "a", ids.clone()), claims(&rooms[1], "b", back));
    let mut owned = HashSet::new();
    for claim in one.iter().chain(&other) {
        match claim {
            Claim::Claimed(call) => assert!(owned.insert(call.id), "{} has two owners", call.id),
            other => assert!(matches!(other, Claim::Stale(Some(_))), "{other:?}"),
        }
    }
    assert_eq!(owned.len(), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_relays_share_the_outbox_and_one_takes_over_from_a_dead_one() {
    let (database, rooms) = rooms::<2>().await;
    let callee = Callee::new("f");
    let ids = join_all((0..40).map(|n| of(&rooms, n).accepted(&callee))).await;
    let (one, other) = tokio::join!(due(&rooms[0]), due(&rooms[1]));
    let mine = |first: usize| ids.iter().skip(first).step_by(2).copied().collect::<BTreeSet<_>>();
    assert_eq!(one.into_iter().collect::<BTreeSet<_>>(), mine(0), "each publishes what it accepted");
    assert_eq!(other.into_iter().collect::<BTreeSet<_>>(), mine(1));
    assert!(rooms[0].store.outbox_next().await.expect("an answer").is_some());

    // The second one is gone. Of two that notice, one takes each row.
    let [survivor, _gone] = rooms;
    let third = Arc::new(open(&database.url, &survivor.clock).await);
    let third = Room { store: third, clock: Arc::clone(&survivor.clock) };
    assert!(due(&third).await.is_empty(), "not yet");
    let free = third.store.outbox_next().await.expect("an answer").expect("a time");
    assert_eq!(free.since(third.clock.now()), PostgresOptions::default().hold);
    survivor.clock.advance(PostgresOptions::default().hold);
    let (one, other) = tokio::join!(due(&survivor), due(&third));
    let both: Vec<_> = one.into_iter().chain(other).collect();
    assert_eq!(both.iter().copied().collect::<BTreeSet<_>>().len(), 40, "all rows");
    // The survivor's own are free by now too: whoever else publishes them beside it is caught by the message id.
    let left_behind = both.iter().filter(|id| mine(1).contains(id)).count();
    assert_eq!(left_behind, 20, "each row of the dead one once");
}

#[tokio::test]
async fn a_process_without_a_relay_leaves_its_rows_to_the_others() {
    let database = Database::new().await;
    let clock = Arc::new(eventflow_testkit::ManualClock::default());
    let mute = PostgresOptions { relay: false, ..options(&clock) };
    let mute = PostgresStore::open(&database.url, mute).await.expect("should open");
    let mute = Room { store: Arc::new(mute), clock: Arc::clone(&clock) };
    let relay = Room { store: Arc::new(open(&database.url, &clock).await), clock };
    let id = mute.accepted(&Callee::new("f")).await;
    assert_eq!(due(&relay).await, [id]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_call_is_swept_by_one_process() {
    let (_database, rooms) = rooms::<2>().await;
    let callee = Callee::new("f");
    let ids = join_all((0..50).map(|_| rooms[0].accepted(&callee))).await;
    let by = worker("a");
    join_all(ids.iter().map(|&id| rooms[0].claimed(id, &by))).await;
    rooms[0].clock.advance(LEASE);
    let by = worker("b");
    let sweeps = (0..8).map(|n| of(&rooms, n).store.sweep(&by, false, policy(1), 20, &[]));
    let mut swept: Vec<_> = Vec::new();
    for answer in join_all(sweeps).await {
        swept.extend(answer.expect("an answer").into_iter().map(|one| one.invocation));
    }
    let different: BTreeSet<_> = swept.iter().copied().collect();
    assert_eq!((different.len(), swept.len()), (50, 50));
    assert_eq!(rooms[1].get(ids[0]).await.lifecycle.lost, 1);
}

/// Runs one call to its end, whichever way it goes.
async fn live(rooms: &[Room; 2], callee: &Callee, n: usize) {
    let (here, there) = (of(rooms, n), of(rooms, n / 2));
    let id = here.accepted(callee).await;
    let rows = here.store.outbox_due(20).await.expect("rows");
    here.store.outbox_done(rows.iter().map(|row| row.seq).collect()).await.expect("should be marked");
    let by = worker(&format!("w{n}"));
    let Claim::Claimed(call) = there.claim(id, &by).await else {
        return;
    };
    let lease = Lease { invocation: id, epoch: call.lifecycle.epoch };
    here.store.renew(vec![lease], &by, LEASE).await.expect("an answer");
    let verdict = match n % 4 {
        0 => Verdict::Released,
        1 => Verdict::Failed(eventflow_domain::Failure::new(eventflow_domain::Reason::ExitCode, "no\0")),
        _ => Verdict::Succeeded,
    };
    let settled = there.store.settle(here.end(id, call.lifecycle.epoch, verdict)).await.expect("an answer");
    assert!(!matches!(settled, Settled::Unknown));
    if n.is_multiple_of(8) {
        here.store.cancel(id).await.expect("should be cancelled");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_at_once_in_two_processes_ends_without_a_conflict_and_the_books_balance() {
    let (database, rooms) = rooms::<2>().await;
    let callees = ["f", "g", "h"].map(Callee::new);
    let retention = Retention { max_age: Duration::ZERO, max_count: 5, batch: 20 };
    let calls = join_all((0..400).map(|n| live(&rooms, &callees[n % 3], n)));
    let upkeep = async {
        let by = worker("sweeper");
        for n in 0..30 {
            let room = of(&rooms, n);
            room.store.sweep(&by, false, policy(3), 50, &[]).await.expect("an answer");
            room.store.republish(None, room.clock.now(), 50).await.expect("an answer");
            room.store.expire(&callees[n % 3].key, Duration::from_secs(3600), 50).await.expect("an answer");
            let (one, other) =
                tokio::join!(rooms[0].store.retain(&retention), rooms[1].store.retain(&retention));
            assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
        }
    };
    tokio::join!(calls, upkeep);
    let waits =
        InvocationFilter { states: vec![State::Queued, State::Retrying], ..InvocationFilter::default() };
    let waiting = rooms[0].store.count(&waits).await.expect("a count");
    assert!(waiting > 0);
    for sql in ["SELECT sum(count) FROM waiting", "SELECT count(*) FROM outbox"] {
        assert_eq!(database.sql(sql).await, waiting.to_string(), "{sql}");
    }
    let orphans = "SELECT count(*) FROM attempts a WHERE NOT EXISTS (SELECT 1 FROM invocations WHERE id = a.invocation)";
    assert_eq!(database.sql(orphans).await, "0");
}

#[tokio::test]
async fn the_fence_switched_off_is_noticed() {
    let database = Database::new().await;
    let clock = Arc::new(eventflow_testkit::ManualClock::default());
    let unfenced = PostgresOptions { unfenced: true, ..options(&clock) };
    let store = PostgresStore::open(&database.url, unfenced).await.expect("should open");
    let room = Room { store: Arc::new(store), clock };
    let promise = eventflow_testkit::contract::store::ends::a_stale_settlement_is_refused_and_changes_nothing;
    let kept = futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(promise(&room))).await;
    assert!(kept.is_err(), "the contract should notice");
}

#[tokio::test]
async fn times_are_those_of_the_database() {
    let database = Database::new().await;
    let options = PostgresOptions { forgetful: true, ..PostgresOptions::default() };
    let store = PostgresStore::open(&database.url, options).await.expect("should open");
    let room = Room { store: Arc::new(store), clock: Arc::default() };
    let id = room.accepted(&Callee::new("f")).await;
    // It was made by a clock that went wrong by months.
    let request = ClaimRequest { invocation: id, max_age: Duration::from_secs(10 * 365 * 86_400) };
    let claims = room.store.claim(vec![request], &worker("a"), LEASE).await.expect("an answer");
    assert!(matches!(claims.as_slice(), [Claim::Claimed(_)]), "{claims:?}");
    let sql = "SELECT abs(extract(epoch FROM clock_timestamp()) * 1000000 + 30000000 - lease_until) < 20000000 FROM invocations";
    assert_eq!(database.sql(sql).await, "t");
    assert_eq!(room.get(id).await.lifecycle.epoch, Epoch(1));
}
