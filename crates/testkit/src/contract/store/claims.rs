//! Promises of claims and leases.

use super::{Callee, DAY, LEASE, Room, fail, policy, worker};
use eventflow_domain::lifecycle::{Refused, Verdict};
use eventflow_domain::ports::{
    Claim, ClaimRequest, Clock as _, Lease, NewInvocation, Renewal, Settled, Start,
};
use eventflow_domain::{Epoch, InvocationId, Reason, State, Timestamp};
use futures::future::join_all;
use pretty_assertions::assert_eq;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

pub async fn a_claim_raises_epoch_and_attempt(room: &Room) {
    let id = room.accepted(&Callee::new("f")).await;
    let before = room.get(id).await;
    room.clock.advance(SECOND);
    let claimed = room.claimed(id, &worker("a")).await;
    assert_eq!(claimed.payload, before.payload);
    let now = room.clock.now();
    let stored = room.get(id).await;
    assert_eq!(
        (stored.lifecycle.state, stored.lifecycle.epoch, stored.lifecycle.attempts),
        (State::Running, Epoch(1), 1)
    );
    assert_eq!(stored.lifecycle, claimed.lifecycle);
    assert_eq!(stored.started_at, Some(now));
    assert_eq!(stored.queue_wait(), Some(SECOND));
    let [attempt] = stored.attempts.as_slice() else { fail("should have one attempt") };
    assert_eq!((attempt.number, attempt.epoch, attempt.version), (1, Epoch(1), stored.version));
    assert_eq!((&attempt.worker, attempt.started_at, attempt.outcome), (&worker("a"), now, None));
}

pub async fn a_call_is_claimed_once(room: &Room) {
    let id = room.accepted(&Callee::new("f")).await;
    room.claimed(id, &worker("a")).await;
    let again = room.claim(id, &worker("b")).await;
    assert!(matches!(again, Claim::Stale(Some(Refused::WrongState(State::Running)))), "{again:?}");
    room.settled(room.end(id, Epoch(1), Verdict::Succeeded)).await;
    let late = room.claim(id, &worker("b")).await;
    assert!(matches!(late, Claim::Stale(Some(Refused::Terminal(State::Succeeded)))), "{late:?}");
}

pub async fn racing_workers_claim_each_call_once(room: &Room) {
    let callee = Callee::new("f");
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(room.accepted(&callee).await);
    }
    let requests: Vec<ClaimRequest> =
        ids.iter().map(|&invocation| ClaimRequest { invocation, max_age: DAY }).collect();
    let workers: Vec<_> = (0..5).map(|n| worker(&format!("w{n}"))).collect();
    let answers = join_all(workers.iter().map(|by| room.store.claim(requests.clone(), by, LEASE))).await;
    let claimed = answers
        .into_iter()
        .flat_map(|claims| claims.expect("should answer"))
        .filter(|claim| matches!(claim, Claim::Claimed(_)))
        .count();
    assert_eq!(claimed, ids.len());
    for id in ids {
        assert_eq!(room.get(id).await.attempts.len(), 1);
    }
}

pub async fn a_call_is_not_claimed_before_its_time(room: &Room) {
    let start = Start::Queued { not_before: room.clock.now() + 5 * SECOND };
    let id = room.accepted_as(NewInvocation { start, ..room.call(&Callee::new("f")) }).await;
    let early = room.claim(id, &worker("a")).await;
    assert!(matches!(early, Claim::Stale(Some(Refused::TooEarly(_)))), "{early:?}");
    room.clock.advance(5 * SECOND);
    room.claimed(id, &worker("a")).await;
}

async fn claim_with_age(room: &Room, id: InvocationId, max_age: Duration) -> Claim {
    let request = ClaimRequest { invocation: id, max_age };
    let claims = room.store.claim(vec![request], &worker("a"), LEASE).await.expect("should answer");
    claims.into_iter().next().expect("one answer")
}

pub async fn a_call_that_waited_too_long_is_expired_instead(room: &Room) {
    let id = room.accepted(&Callee::new("f")).await;
    room.clock.advance(11 * SECOND);
    let Claim::Expired(expired) = claim_with_age(room, id, 10 * SECOND).await else {
        fail("should be expired")
    };
    assert_eq!(expired.failure.as_ref().map(|failure| failure.reason), Some(Reason::Expired));
    let stored = room.get(id).await;
    assert_eq!((stored.state(), stored.ended_at), (State::Failed, Some(room.clock.now())));
    assert!(stored.attempts.is_empty(), "it never ran");
    assert!(room.store.outbox_due(10).await.expect("rows").is_empty());
}

pub async fn a_delay_is_not_waiting(room: &Room) {
    let start = Start::Queued { not_before: room.clock.now() + 100 * SECOND };
    let callee = Callee::new("f");
    let id = room.accepted_as(NewInvocation { start, ..room.call(&callee) }).await;
    room.clock.advance(105 * SECOND);
    assert!(room.store.expire(&callee.key, 10 * SECOND, 10).await.expect("an answer").is_empty());
    assert!(matches!(claim_with_age(room, id, 10 * SECOND).await, Claim::Claimed(_)));
}

pub async fn claims_answer_in_order_and_know_what_is_unknown(room: &Room) {
    let callee = Callee::new("f");
    let (first, second) = (room.accepted(&callee).await, room.accepted(&callee).await);
    let request = |invocation| ClaimRequest { invocation, max_age: DAY };
    let requests = vec![request(second), request(InvocationId::generate()), request(first)];
    let claims = room.store.claim(requests, &worker("a"), LEASE).await.expect("should answer");
    let [Claim::Claimed(one), Claim::Stale(None), Claim::Claimed(three)] = claims.as_slice() else {
        fail(&format!("in order: {claims:?}"))
    };
    assert_eq!((one.id, three.id), (second, first));
}

pub async fn a_lease_is_renewed_by_its_holder_only(room: &Room) {
    let callee = Callee::new("f");
    let (id, other) = (room.accepted(&callee).await, room.accepted(&callee).await);
    room.claimed(id, &worker("a")).await;
    room.claimed(other, &worker("b")).await;
    let lease = |invocation, epoch| Lease { invocation, epoch: Epoch(epoch) };
    let leases = vec![lease(id, 1), lease(id, 0), lease(other, 1), lease(InvocationId::generate(), 1)];
    let renewals = room.store.renew(leases, &worker("a"), LEASE).await.expect("should answer");
    let held = Renewal::Held { cancel_requested: false };
    assert_eq!(renewals, [held, Renewal::Gone, Renewal::Gone, Renewal::Gone]);

    room.store.cancel(id).await.expect("should be marked");
    let renewals = room.store.renew(vec![lease(id, 1)], &worker("a"), LEASE).await.expect("should answer");
    assert_eq!(renewals, [Renewal::Held { cancel_requested: true }]);
    room.settled(room.end(id, Epoch(1), Verdict::Cancelled)).await;
    let renewals = room.store.renew(vec![lease(id, 1)], &worker("a"), LEASE).await.expect("should answer");
    assert_eq!(renewals, [Renewal::Gone]);
}

pub async fn an_expired_lease_is_swept_and_the_call_queued_again(room: &Room) {
    let id = room.accepted(&Callee::new("f")).await;
    publish_all(room).await;
    room.claimed(id, &worker("a")).await;
    let other = worker("b");
    let sweep = || room.store.sweep(&other, false, policy(1), 10, &[]);
    room.clock.advance(LEASE.saturating_sub(SECOND));
    assert!(sweep().await.expect("an answer").is_empty(), "it is still held");
    room.clock.advance(SECOND);
    let swept = sweep().await.expect("an answer");
    assert_eq!(
        swept.iter().map(|one| (one.invocation, one.state)).collect::<Vec<_>>(),
        [(id, State::Queued)]
    );
    assert!(sweep().await.expect("an answer").is_empty(), "once");

    let stored = room.get(id).await;
    assert_eq!((stored.state(), stored.lifecycle.lost, stored.ended_at), (State::Queued, 1, None));
    let [attempt] = stored.attempts.as_slice() else { fail("should have one attempt") };
    assert_eq!(attempt.failure.as_ref().map(|failure| failure.reason), Some(Reason::Lost), "with its cause");
    let due = room.store.outbox_due(10).await.expect("rows");
    assert_eq!(due.iter().map(|row| row.message.invocation).collect::<Vec<_>>(), [id]);

    // The first worker comes back, too late.
    room.claimed(id, &worker("b")).await;
    let late = room.store.settle(room.end(id, Epoch(1), Verdict::Succeeded)).await.expect("an answer");
    assert!(matches!(late, Settled::Refused(Refused::StaleEpoch { .. })), "{late:?}");
    assert_eq!(room.get(id).await.state(), State::Running);
}

async fn publish_all(room: &Room) {
    let seqs = room.store.outbox_due(100).await.expect("rows").iter().map(|row| row.seq).collect();
    room.store.outbox_done(seqs).await.expect("should be marked");
}

pub async fn a_renewed_lease_is_not_swept(room: &Room) {
    let id = room.accepted(&Callee::new("f")).await;
    room.claimed(id, &worker("a")).await;
    for _ in 0..3 {
        room.clock.advance(LEASE / 2);
        let lease = Lease { invocation: id, epoch: Epoch(1) };
        room.store.renew(vec![lease], &worker("a"), LEASE).await.expect("should answer");
        let swept = room.store.sweep(&worker("b"), false, policy(1), 10, &[]).await.expect("an answer");
        assert!(swept.is_empty());
    }
}

pub async fn workers_known_to_be_dead_are_swept_at_once(room: &Room) {
    let callee = Callee::new("f");
    let (mine, other) = (room.accepted(&callee).await, room.accepted(&callee).await);
    room.claimed(mine, &worker("now")).await;
    room.claimed(other, &worker("before")).await;
    let swept = room.store.sweep(&worker("now"), true, policy(1), 10, &[]).await.expect("an answer");
    assert_eq!(swept.iter().map(|one| one.invocation).collect::<Vec<_>>(), [other]);
    assert_eq!(room.get(mine).await.state(), State::Running);
}

pub async fn a_call_lost_too_often_fails(room: &Room) {
    let id = room.accepted(&Callee::new("f")).await;
    let mut states = Vec::new();
    for _ in 0..3 {
        room.claimed(id, &worker("a")).await;
        room.clock.advance(LEASE);
        let swept = room.store.sweep(&worker("a"), false, policy(1), 10, &[]).await.expect("an answer");
        states.extend(swept.into_iter().map(|one| one.state));
    }
    assert_eq!(states, [State::Queued, State::Queued, State::Failed]);
    let stored = room.get(id).await;
    assert_eq!(stored.failure.map(|failure| failure.reason), Some(Reason::Lost));
    assert!(stored.lifecycle.dead_letter);
    assert_eq!(stored.attempts.len(), 3);
    assert!(stored.attempts.iter().all(|attempt| attempt.ended_at > Some(Timestamp::from_micros(0))));
}

pub async fn a_run_whose_lease_ran_out_is_adopted_once_as_the_same_attempt(room: &Room) {
    let id = room.accepted(&Callee::new("f")).await;
    room.claimed(id, &worker("a")).await;
    let lease = Lease { invocation: id, epoch: Epoch(1) };
    let adopt = |by: &'static str| {
        let by = worker(by);
        async move { room.store.adopt(lease, &by, LEASE).await.expect("an answer") }
    };
    assert_eq!(room.store.expired(10).await.expect("rows"), []);
    assert!(matches!(adopt("b").await, Claim::Stale(Some(Refused::WrongState(_)))), "it is held");

    room.clock.advance(LEASE);
    let expired = room.store.expired(10).await.expect("rows");
    let [run] = expired.as_slice() else { fail(&format!("one has expired: {expired:?}")) };
    let record = room.get(id).await;
    assert_eq!((run.lease, run.attempt, run.version), (lease, 1, record.version));
    assert_eq!((&run.function, run.function_uid), (&record.function, record.function_uid));
    let Claim::Claimed(adopted) = adopt("b").await else { fail("should be adopted") };
    assert_eq!(
        (adopted.lifecycle.epoch, adopted.lifecycle.attempts, adopted.state()),
        (Epoch(2), 1, State::Running)
    );
    assert!(matches!(adopt("c").await, Claim::Stale(Some(_))), "once");
    assert_eq!(room.store.expired(10).await.expect("rows"), []);

    let late = room.store.settle(room.end(id, Epoch(1), Verdict::Succeeded)).await.expect("an answer");
    assert!(matches!(late, Settled::Refused(Refused::StaleEpoch { .. })), "{late:?}");
    let renewals = room.store.renew(vec![lease], &worker("a"), LEASE).await.expect("should answer");
    assert_eq!(renewals, [Renewal::Gone]);
    let ended = room.settled(room.end(id, Epoch(2), Verdict::Succeeded)).await;
    assert_eq!((ended.state(), ended.lifecycle.lost), (State::Succeeded, 0));
    let [attempt] = ended.attempts.as_slice() else { fail("should have one attempt") };
    assert_eq!((attempt.epoch, &attempt.worker), (Epoch(1), &worker("a")), "who started it");
    assert_eq!(room.get(id).await.attempts, ended.attempts, "and so it is stored");
}

pub async fn a_lease_that_is_given_up_may_be_adopted_at_once(room: &Room) {
    let id = room.accepted(&Callee::new("f")).await;
    room.claimed(id, &worker("a")).await;
    let lease = Lease { invocation: id, epoch: Epoch(1) };
    room.store.renew(vec![lease], &worker("a"), Duration::ZERO).await.expect("should answer");
    assert_eq!(room.store.expired(10).await.expect("rows").len(), 1);
    let claim = room.store.adopt(lease, &worker("b"), LEASE).await.expect("an answer");
    assert!(matches!(claim, Claim::Claimed(_)), "{claim:?}");
}

pub async fn what_is_spared_is_not_swept(room: &Room) {
    let callee = Callee::new("f");
    let (spared, other) = (room.accepted(&callee).await, room.accepted(&callee).await);
    room.claimed(spared, &worker("a")).await;
    room.claimed(other, &worker("a")).await;
    room.clock.advance(LEASE);
    for others_dead in [false, true] {
        let swept =
            room.store.sweep(&worker("b"), others_dead, policy(1), 10, &[spared]).await.expect("an answer");
        assert!(swept.iter().all(|one| one.invocation == other), "{swept:?}");
    }
    assert_eq!(room.get(spared).await.state(), State::Running);
    assert_eq!(room.get(other).await.state(), State::Queued);
}
