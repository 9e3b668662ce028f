//! Promises of how calls end.

use super::{Callee, LEASE, Room, fail, failed, policy, worker};
use eventflow_domain::invocation::Stored;
use eventflow_domain::lifecycle::{Refused, Verdict};
use eventflow_domain::ports::{Claim, Clock as _, InvocationFilter, Settled};
use eventflow_domain::{Body, Epoch, ErrorKind, Invocation, InvocationId, Reason, StartKind, State};
use pretty_assertions::assert_eq;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn reason(invocation: &Invocation) -> Option<Reason> {
    invocation.failure.as_ref().map(|failure| failure.reason)
}

pub async fn a_success_ends_the_call_with_its_result(room: &Room) {
    let id = room.accepted(&Callee::new("f")).await;
    let epoch = room.claimed(id, &worker("a")).await.lifecycle.epoch;
    let mut end = room.end(id, epoch, Verdict::Succeeded);
    room.clock.advance(SECOND);
    end.http_status = Some(201);
    end.logs_truncated = true;
    let settled = room.settled(end.clone()).await;
    assert_eq!(settled, room.get(id).await, "told as it is kept");
    assert_eq!((settled.state(), settled.ended_at), (State::Succeeded, Some(room.clock.now())));
    assert_eq!((settled.result, settled.http_status, settled.failure), (end.result, Some(201), None));
    assert!(settled.logs_truncated && !settled.lifecycle.dead_letter);
    let [attempt] = settled.attempts.as_slice() else { fail("should have one attempt") };
    assert_eq!((attempt.outcome, attempt.exit_code), (Some(State::Succeeded), Some(0)));
    assert_eq!((attempt.start, attempt.started_at), (Some(StartKind::Cold), end.started_at));
    assert_eq!(attempt.ended_at, Some(room.clock.now()));
}

/// The fence: switched off, this is the promise that breaks.
pub async fn a_stale_settlement_is_refused_and_changes_nothing(room: &Room) {
    let id = room.accepted(&Callee::new("f")).await;
    room.claimed(id, &worker("zombie")).await;
    room.clock.advance(LEASE);
    room.store.sweep(&worker("b"), false, policy(1), 10, &[]).await.expect("should be swept");
    room.claimed(id, &worker("b")).await;
    let before = room.get(id).await;
    let late = room.store.settle(room.end(id, Epoch(1), Verdict::Succeeded)).await.expect("an answer");
    let stale = Refused::StaleEpoch { given: Epoch(1), current: Epoch(2) };
    assert!(matches!(late, Settled::Refused(refused) if refused == stale), "{late:?}");
    assert_eq!(room.get(id).await, before);
    let ended = room.settled(room.end(id, Epoch(2), failed(Reason::ClientError))).await;
    assert_eq!(ended.state(), State::Failed, "the current epoch decides");
}

pub async fn a_terminal_call_is_settled_once(room: &Room) {
    let ended = room.ran(&Callee::new("f"), Verdict::Succeeded).await;
    let again =
        room.store.settle(room.end(ended.id, Epoch(1), failed(Reason::Timeout))).await.expect("an answer");
    assert!(matches!(again, Settled::Refused(Refused::Terminal(State::Succeeded))), "{again:?}");
    assert_eq!(room.get(ended.id).await, ended);
}

pub async fn an_unknown_call_is_told_so(room: &Room) {
    let id = InvocationId::generate();
    let answer = room.store.settle(room.end(id, Epoch(1), Verdict::Succeeded)).await.expect("an answer");
    assert!(matches!(answer, Settled::Unknown));
    assert_eq!(room.store.cancel(id).await.expect_err("should be unknown").kind(), ErrorKind::NotFound);
}

pub async fn a_failure_with_attempts_left_is_queued_again_when_it_is_due(room: &Room) {
    let id = room.accepted(&Callee::new("f")).await;
    let seqs = room.store.outbox_due(10).await.expect("rows").iter().map(|row| row.seq).collect();
    room.store.outbox_done(seqs).await.expect("should be marked");
    let epoch = room.claimed(id, &worker("a")).await.lifecycle.epoch;
    let waits = room.settled(room.end(id, epoch, failed(Reason::ExitCode))).await;
    let due_at = room.clock.now() + SECOND;
    assert_eq!((waits.state(), waits.lifecycle.not_before, waits.ended_at), (State::Retrying, due_at, None));
    assert_eq!(waits.result, Stored::NOTHING, "only an end has a result");
    assert_eq!(room.store.outbox_next().await.expect("an answer"), Some(due_at));
    assert!(room.store.outbox_due(10).await.expect("rows").is_empty(), "not yet");
    let early = room.claim(id, &worker("a")).await;
    assert!(matches!(early, Claim::Stale(Some(Refused::TooEarly(_)))), "{early:?}");

    room.clock.advance(SECOND);
    let due = room.store.outbox_due(10).await.expect("rows");
    assert_eq!(
        due.iter().map(|row| (row.message.invocation, row.message.epoch)).collect::<Vec<_>>(),
        [(id, epoch)]
    );
    let again = room.claimed(id, &worker("a")).await;
    assert_eq!((again.lifecycle.epoch, again.lifecycle.attempts), (Epoch(2), 2));
    let ended = room.settled(room.end(id, Epoch(2), Verdict::Succeeded)).await;
    assert_eq!(ended.state(), State::Succeeded);
    assert_eq!(
        ended.attempts.iter().map(|attempt| attempt.outcome).collect::<Vec<_>>(),
        [Some(State::Failed), Some(State::Succeeded)]
    );
}

pub async fn exhausted_attempts_make_a_dead_letter_until_it_is_cleared(room: &Room) {
    let id = room.accepted(&Callee::new("f")).await;
    for attempt in 1..=3 {
        room.clock.advance(10 * SECOND);
        let epoch = room.claimed(id, &worker("a")).await.lifecycle.epoch;
        let record = room.settled(room.end(id, epoch, failed(Reason::Timeout))).await;
        assert_eq!(record.state(), if attempt < 3 { State::Retrying } else { State::Failed });
    }
    let dead = room.get(id).await;
    assert_eq!((reason(&dead), dead.lifecycle.dead_letter), (Some(Reason::Timeout), true));
    let filter = InvocationFilter { dead_letter: Some(true), ..InvocationFilter::default() };
    assert_eq!(room.store.count(&filter).await.expect("a count"), 1);
    assert!(room.store.clear_dead_letter(id).await.expect("an answer"));
    assert!(!room.store.clear_dead_letter(id).await.expect("an answer"), "it was set no more");
    assert_eq!(room.store.count(&filter).await.expect("a count"), 0);
    assert_eq!(room.get(id).await.state(), State::Failed);
}

pub async fn a_released_call_goes_back_without_counting_as_a_failure(room: &Room) {
    let id = room.accepted(&Callee::new("f")).await;
    let epoch = room.claimed(id, &worker("a")).await.lifecycle.epoch;
    let back = room.settled(room.end(id, epoch, Verdict::Released)).await;
    assert_eq!((back.state(), back.lifecycle.attempts, back.lifecycle.lost), (State::Queued, 1, 1));
    assert_eq!(room.store.outbox_due(10).await.expect("rows").len(), 1);
    room.claimed(id, &worker("b")).await;
}

pub async fn a_dropped_payload_is_forgotten_at_the_end(room: &Room) {
    let callee = Callee::new("f");
    for bytes in [7, 5000] {
        let content =
            eventflow_domain::invocation::Content { bytes: vec![1; bytes].into(), content_type: None };
        let new =
            eventflow_domain::ports::NewInvocation { payload: Stored::inline(content), ..room.call(&callee) };
        let id = room.accepted_as(new).await;
        for verdict in [failed(Reason::Trap), Verdict::Succeeded] {
            room.clock.advance(10 * SECOND);
            let claimed = room.claimed(id, &worker("a")).await;
            assert!(matches!(claimed.payload.body, Body::Inline(_)), "a retry needs it");
            let mut end = room.end(id, claimed.lifecycle.epoch, verdict);
            end.drop_payload = true;
            end.result = Stored { body: Body::None, size: 3, content_type: None };
            room.settled(end).await;
        }
        let stored = room.get(id).await;
        assert_eq!((stored.payload.body, stored.payload.size), (Body::None, bytes as u64));
        assert_eq!((stored.result.body, stored.result.size), (Body::None, 3));
    }
}

pub async fn a_waiting_call_is_cancelled_at_once(room: &Room) {
    let id = room.accepted(&Callee::new("f")).await;
    let cancelled = room.store.cancel(id).await.expect("should be cancelled");
    assert_eq!((cancelled.state(), reason(&cancelled)), (State::Cancelled, Some(Reason::Cancelled)));
    assert_eq!(cancelled, room.get(id).await);
    let claim = room.claim(id, &worker("a")).await;
    assert!(matches!(claim, Claim::Stale(Some(Refused::Terminal(State::Cancelled)))), "{claim:?}");
}

pub async fn a_running_call_is_cancelled_by_its_owner(room: &Room) {
    let id = room.accepted(&Callee::new("f")).await;
    let epoch = room.claimed(id, &worker("a")).await.lifecycle.epoch;
    for _ in 0..2 {
        let marked = room.store.cancel(id).await.expect("repeating is fine");
        assert_eq!((marked.state(), marked.lifecycle.cancel_requested), (State::Running, true));
    }
    let ended = room.settled(room.end(id, epoch, Verdict::Cancelled)).await;
    assert_eq!((ended.state(), reason(&ended)), (State::Cancelled, Some(Reason::Cancelled)));

    // A success that comes first stays.
    let id = room.accepted(&Callee::new("f")).await;
    let epoch = room.claimed(id, &worker("a")).await.lifecycle.epoch;
    room.store.cancel(id).await.expect("should be marked");
    assert_eq!(room.settled(room.end(id, epoch, Verdict::Succeeded)).await.state(), State::Succeeded);

    // The owner is lost: nobody runs it again.
    let id = room.accepted(&Callee::new("f")).await;
    room.claimed(id, &worker("a")).await;
    room.store.cancel(id).await.expect("should be marked");
    room.clock.advance(LEASE);
    let swept = room.store.sweep(&worker("b"), false, policy(1), 10, &[]).await.expect("an answer");
    assert_eq!(swept.iter().map(|one| one.state).collect::<Vec<_>>(), [State::Cancelled]);
}

pub async fn a_terminal_call_cannot_be_cancelled(room: &Room) {
    let ended = room.ran(&Callee::new("f"), Verdict::Succeeded).await;
    let refused = room.store.cancel(ended.id).await.expect_err("should be refused");
    assert_eq!(refused.kind(), ErrorKind::WrongState);
    assert_eq!(room.get(ended.id).await, ended);
}

pub async fn old_waiting_calls_expire(room: &Room) {
    let callee = Callee::new("f");
    let old = room.accepted(&callee).await;
    let other = room.accepted(&Callee::new("g")).await;
    let running = room.accepted(&callee).await;
    room.claimed(running, &worker("a")).await;
    room.clock.advance(10 * SECOND);
    let young = room.accepted(&callee).await;
    let expired = room.store.expire(&callee.key, 5 * SECOND, 10).await.expect("an answer");
    assert_eq!(
        expired.iter().map(|one| (one.invocation, one.state)).collect::<Vec<_>>(),
        [(old, State::Failed)]
    );
    let stored = room.get(old).await;
    assert_eq!((reason(&stored), stored.lifecycle.dead_letter), (Some(Reason::Expired), false));
    for (id, state) in [(other, State::Queued), (running, State::Running), (young, State::Queued)] {
        assert_eq!(room.get(id).await.state(), state);
    }
}

pub async fn deleting_a_function_ends_what_waits_and_marks_what_runs(room: &Room) {
    let callee = Callee::new("f");
    let anew = Callee::new("f");
    let (waits, runs) = (room.accepted(&callee).await, room.accepted(&callee).await);
    let other = room.accepted(&anew).await;
    let epoch = room.claimed(runs, &worker("a")).await.lifecycle.epoch;
    let mut touched = Vec::new();
    for _ in 0..2 {
        let swept = room.store.cancel_function(callee.uid, 1).await.expect("an answer");
        touched.extend(swept.into_iter().map(|one| one.invocation));
    }
    touched.sort();
    assert_eq!(touched, [waits, runs], "each once, in bounded steps");
    assert!(room.store.cancel_function(callee.uid, 10).await.expect("an answer").is_empty());
    let stored = room.get(waits).await;
    assert_eq!((stored.state(), reason(&stored)), (State::Cancelled, Some(Reason::FunctionDeleted)));
    assert!(room.get(runs).await.lifecycle.cancel_requested);
    assert_eq!(room.settled(room.end(runs, epoch, Verdict::Cancelled)).await.state(), State::Cancelled);
    assert_eq!(room.get(other).await.state(), State::Queued, "a function made anew is another one");
}
