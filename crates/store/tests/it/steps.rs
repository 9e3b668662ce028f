//! Claims and settlements that share a transaction.

use super::folder::sql;
use super::setup;
use eventflow_domain::lifecycle::{Refused, Verdict};
use eventflow_domain::ports::{Claim, ClaimRequest, Lease, Renewal, Settled};
use eventflow_domain::{Epoch, ErrorKind, InvocationId, Reason, State};
use eventflow_testkit::contract::store::{Callee, Room, worker};
use futures::future::join_all;
use std::path::Path;
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(30);

async fn accepted(room: &Room, count: usize) -> Vec<InvocationId> {
    let callee = Callee::new("f");
    join_all((0..count).map(|_| room.accepted(&callee))).await
}

async fn claim(room: &Room, ids: &[InvocationId]) -> Vec<Claim> {
    let request = |&invocation| ClaimRequest { invocation, max_age: Duration::from_secs(3600) };
    let requests = ids.iter().map(request).collect();
    room.store.claim(requests, &worker("a"), LEASE).await.expect("an answer for each")
}

async fn settle(room: &Room, id: InvocationId) -> eventflow_domain::Result<Settled> {
    room.store.settle(room.end(id, Epoch(1), Verdict::Succeeded)).await
}

fn hex(id: InvocationId) -> String {
    id.as_uuid().simple().to_string()
}

/// Behind the store's back, whose memory of the rows must go with a new start.
async fn broken(folder: &Path, room: Room, sql_text: &str) -> Room {
    drop(room.store);
    sql(folder, sql_text).await;
    let store = super::folder::reopen(folder, &room.clock).await;
    Room { store: std::sync::Arc::new(store), clock: room.clock }
}

#[tokio::test]
async fn a_call_asked_for_twice_at_once_is_claimed_once_and_in_order() {
    let (_folder, room) = setup().await;
    let ids = accepted(&room, 2).await;
    let claims = claim(&room, &[ids[0], ids[1], ids[0]]).await;
    assert!(matches!(&claims[0], Claim::Claimed(call) if call.id == ids[0]));
    assert!(matches!(&claims[1], Claim::Claimed(call) if call.id == ids[1]));
    assert!(matches!(claims[2], Claim::Stale(Some(Refused::WrongState(State::Running)))), "{:?}", claims[2]);
    assert_eq!(room.get(ids[0]).await.lifecycle.attempts, 1);
}

#[tokio::test]
async fn settlements_of_one_call_at_once_are_decided_by_the_first() {
    let (_folder, room) = setup().await;
    let ids = accepted(&room, 40).await;
    claim(&room, &ids).await;
    let twice = ids.iter().flat_map(|&id| [settle(&room, id), settle(&room, id)]);
    for pair in join_all(twice).await.chunks(2) {
        assert!(matches!(&pair[0], Ok(Settled::Done(call)) if call.state() == State::Succeeded));
        assert!(matches!(pair[1], Ok(Settled::Refused(Refused::Terminal(State::Succeeded)))));
    }
}

#[tokio::test]
async fn many_ends_of_many_kinds_are_told_as_they_are_kept() {
    let (_folder, room) = setup().await;
    let ids = accepted(&room, 90).await;
    for round in 1..=2 {
        claim(&room, &ids).await;
        let ends = ids.iter().enumerate().map(|(n, &id)| {
            let failure = eventflow_domain::Failure::new(Reason::ExitCode, format!("failed {n}"));
            let verdict = match n % 3 {
                0 => Verdict::Failed(failure),
                1 => Verdict::Released,
                _ => Verdict::Succeeded,
            };
            room.store.settle(room.end(id, Epoch(round), verdict))
        });
        for (id, end) in ids.iter().zip(join_all(ends).await) {
            if let Settled::Done(told) = end.expect("an answer") {
                assert_eq!(*told, room.get(*id).await);
            }
        }
        room.clock.advance(Duration::from_secs(10));
    }
    assert_eq!(room.get(ids[0]).await.attempts.len(), 2);
    assert_eq!(room.get(ids[2]).await.attempts.len(), 1);
}

#[tokio::test]
async fn a_call_that_cannot_be_claimed_fails_alone() {
    let (folder, room) = setup().await;
    let ids = accepted(&room, 40).await;
    // A rule of the schema stands against this one's first attempt.
    let attempt = format!(
        "INSERT INTO attempts (invocation, number, epoch, version, worker, started_at) VALUES (x'{}', 1, 1, 1, 'x', 1)",
        hex(ids[7])
    );
    // And this one cannot be read.
    let unreadable = format!("UPDATE invocations SET trace = x'00' WHERE id = x'{}'", hex(ids[20]));
    let room = broken(folder.path(), room, &attempt).await;
    let room = broken(folder.path(), room, &unreadable).await;
    for (n, claim) in claim(&room, &ids).await.iter().enumerate() {
        let held_up = n == 7 || n == 20;
        assert_eq!(matches!(claim, Claim::Stale(None)), held_up, "{n}: {claim:?}");
        assert_eq!(matches!(claim, Claim::Claimed(_)), !held_up, "{n}: {claim:?}");
    }
    assert_eq!(room.get(ids[7]).await.state(), State::Queued, "nothing of it is half done");
}

#[tokio::test]
async fn a_settlement_that_cannot_be_written_fails_alone() {
    let (folder, room) = setup().await;
    let ids = accepted(&room, 40).await;
    claim(&room, &ids).await;
    let refuse = format!(
        "CREATE TRIGGER no BEFORE UPDATE ON invocations WHEN new.id = x'{}' \
         BEGIN SELECT raise(ABORT, 'not this one'); END",
        hex(ids[5])
    );
    let room = broken(folder.path(), room, &refuse).await;
    let answers = join_all(ids.iter().map(|&id| settle(&room, id))).await;
    for (n, answer) in answers.iter().enumerate() {
        match answer {
            Ok(Settled::Done(call)) => assert_eq!((n == 5, call.state()), (false, State::Succeeded)),
            other => {
                assert_eq!(n, 5, "{other:?}");
                assert_eq!(other.as_ref().expect_err("is refused").kind(), ErrorKind::Internal);
            }
        }
    }
    assert_eq!(room.get(ids[5]).await.state(), State::Running);
}

#[tokio::test]
async fn many_leases_are_renewed_each_under_its_own_epoch() {
    let (_folder, room) = setup().await;
    let ids = accepted(&room, 100).await;
    claim(&room, &ids[..99]).await;
    room.store.cancel(ids[3]).await.expect("should be marked");
    let lease =
        |n: usize, id: &InvocationId| Lease { invocation: *id, epoch: Epoch(if n == 4 { 2 } else { 1 }) };
    let leases = ids.iter().enumerate().map(|(n, id)| lease(n, id)).collect();
    room.clock.advance(LEASE / 2);
    let renewals = room.store.renew(leases, &worker("a"), LEASE).await.expect("an answer");
    for (n, renewal) in renewals.iter().enumerate() {
        let expected = match n {
            4 | 99 => Renewal::Gone,
            _ => Renewal::Held { cancel_requested: n == 3 },
        };
        assert_eq!(*renewal, expected, "{n}");
    }
    // A wish to cancel after the renewal must not bring the old lease back.
    room.store.cancel(ids[6]).await.expect("should be marked");
    room.clock.advance(LEASE / 2);
    let policy = eventflow_testkit::contract::store::policy(1);
    let swept = room.store.sweep(&worker("b"), false, policy, 500, &[]).await.expect("an answer");
    assert_eq!(swept.iter().map(|one| one.invocation).collect::<Vec<_>>(), [ids[4]]);
}

#[tokio::test]
async fn a_call_that_waits_behind_thousands_of_others_is_claimed_whole() {
    let (_folder, room) = setup().await;
    let mut first = room.call(&Callee::new("f"));
    let content = eventflow_domain::invocation::Content { bytes: vec![7; 4000].into(), content_type: None };
    first.payload = eventflow_domain::invocation::Stored::inline(content);
    let (id, payload) = (room.accepted_as(first.clone()).await, first.payload);
    accepted(&room, 5000).await;
    let claims = claim(&room, &[id]).await;
    assert!(matches!(&claims[0], Claim::Claimed(call) if call.payload == payload), "{claims:?}");
    let Settled::Done(ended) = settle(&room, id).await.expect("an answer") else {
        panic!("should be settled")
    };
    assert_eq!(*ended, room.get(id).await);
}
