//! Promises of `accept`.

use super::{Callee, DAY, LEASE, Room, fail, policy, worker};
use crate::content;
use eventflow_domain::invocation::{Content, Stored};
use eventflow_domain::lifecycle::{Lifecycle, Verdict};
use eventflow_domain::ports::{Accepted, Clock as _, InvocationFilter, NewInvocation, Start};
use eventflow_domain::{Body, Bytes, Epoch, ErrorKind, Invocation, InvocationId, State, VersionNumber};
use futures::future::join_all;
use pretty_assertions::assert_eq;
use std::time::Duration;

pub async fn an_accepted_call_is_seen_at_once_with_all_it_came_with(room: &Room) {
    let new = NewInvocation { replay_of: Some(InvocationId::generate()), ..room.call(&Callee::new("f")) };
    room.accepted_as(new.clone()).await;
    let expected = Invocation {
        id: new.id,
        function: new.function,
        function_uid: new.function_uid,
        version: new.version,
        lifecycle: Lifecycle::accepted(room.clock.now()),
        source: new.source,
        caller: new.caller,
        replay_of: new.replay_of,
        trace: new.trace,
        payload: new.payload,
        result: Stored::NOTHING,
        http_status: None,
        failure: None,
        created_at: new.created_at,
        started_at: None,
        ended_at: None,
        attempts: Vec::new(),
        logs_truncated: false,
        start: None,
    };
    assert_eq!(room.get(new.id).await, expected);
    assert_eq!(room.store.get(InvocationId::generate()).await.expect("should be read"), None);
}

pub async fn a_bad_call_fails_alone_among_those_committed_together(room: &Room) {
    let callee = Callee::new("f");
    let calls: Vec<NewInvocation> = (0..60)
        .map(|n| {
            // There is no version 0: a row that no store may take.
            let version = if n % 20 == 7 { VersionNumber(0) } else { VersionNumber(1) };
            NewInvocation { version, ..room.call(&callee) }
        })
        .collect();
    let ids: Vec<(InvocationId, bool)> = calls.iter().map(|call| (call.id, call.version.0 == 0)).collect();
    let answers = join_all(calls.into_iter().map(|call| room.store.accept(call))).await;
    for ((id, bad), answer) in ids.into_iter().zip(answers) {
        assert_eq!(answer.is_err(), bad, "{answer:?}");
        assert_eq!(room.store.get(id).await.expect("should be read").is_none(), bad);
    }
    let waiting = InvocationFilter { states: vec![State::Queued], ..InvocationFilter::default() };
    assert_eq!(room.store.count(&waiting).await.expect("a count"), 57);
    assert_eq!(
        room.store.outbox_due(100).await.expect("rows").len(),
        57,
        "no outbox row of a bad call stays"
    );
}

pub async fn the_same_call_handed_over_twice_is_one_call(room: &Room) {
    let new = room.call(&Callee::new("f"));
    room.accepted_as(new.clone()).await;
    let again = room.store.accept(new.clone()).await.expect("should be accepted");
    assert!(matches!(again, Accepted::Existing(first) if first.id == new.id));
    assert_eq!(room.store.outbox_due(10).await.expect("rows").len(), 1);
}

pub async fn an_id_of_another_call_is_refused(room: &Room) {
    let new = room.call(&Callee::new("f"));
    room.accepted_as(new.clone()).await;
    let other = NewInvocation { id: new.id, ..room.call(&Callee::new("g")) };
    let refused = room.store.accept(other).await.expect_err("should be refused");
    assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
    assert_eq!(room.get(new.id).await.function, new.function);
}

pub async fn a_full_queue_refuses_one_more_and_says_when_to_come_back(room: &Room) {
    let (callee, other) = (Callee::new("f"), Callee::new("g"));
    let call = |callee: &Callee| NewInvocation { queue_max: 3, ..room.call(callee) };
    for _ in 0..3 {
        room.accepted_as(call(&callee)).await;
    }
    let refused = room.store.accept(call(&callee)).await.expect_err("should be refused");
    assert_eq!((refused.kind(), refused.reason()), (ErrorKind::Exhausted, "QueueFull"));
    assert!(refused.retry_after().is_some());
    room.accepted_as(call(&other)).await;
    // A call that runs already takes no place.
    let start = Start::Running { worker: worker("a"), lease: LEASE, started_at: room.clock.now() };
    room.accepted_as(NewInvocation { start, ..call(&callee) }).await;
}

pub async fn places_in_the_queue_come_free_again(room: &Room) {
    let callee = Callee::new("f");
    let call = || NewInvocation { queue_max: 1, ..room.call(&callee) };
    let full = || async { room.store.accept(call()).await.is_err() };

    let first = room.accepted_as(call()).await;
    assert!(full().await);
    room.claimed(first, &worker("a")).await;
    let second = room.accepted_as(call()).await;
    assert!(full().await, "the second waits");
    room.store.cancel(second).await.expect("should be cancelled");
    let third = room.accepted_as(call()).await;
    room.clock.advance(DAY);
    room.store.sweep(&worker("b"), false, policy(1), 10, &[]).await.expect("should be swept");
    assert!(full().await, "the first is queued again");
    assert_eq!(
        room.store.expire(&callee.key, Duration::from_secs(3600), 10).await.expect("expired").len(),
        1
    );
    assert!(full().await, "the first waits since it was queued again");
    room.claimed(first, &worker("a")).await;
    assert_eq!(room.get(third).await.state(), State::Failed);
    room.accepted_as(call()).await;
}

pub async fn the_queue_bound_holds_under_racing_accepts(room: &Room) {
    let callee = Callee::new("f");
    let calls = (0..50).map(|_| room.store.accept(NewInvocation { queue_max: 20, ..room.call(&callee) }));
    let accepted = join_all(calls).await.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(accepted, 20);
    assert_eq!(room.store.count(&InvocationFilter::default()).await.expect("a count"), 20);
}

pub async fn a_key_used_again_gives_the_first_call(room: &Room) {
    let callee = Callee::new("f");
    let first = room.accepted_as(room.keyed(&callee, "default/f/me/\u{1f}key\0", 1)).await;
    let existing = || async {
        match room.store.accept(room.keyed(&callee, "default/f/me/\u{1f}key\0", 1)).await.expect("an answer")
        {
            Accepted::Existing(record) => *record,
            Accepted::New => fail("should be the first call"),
        }
    };
    assert_eq!(existing().await, room.get(first).await);
    let epoch = room.claimed(first, &worker("a")).await.lifecycle.epoch;
    room.settled(room.end(first, epoch, Verdict::Succeeded)).await;
    assert_eq!(existing().await, room.get(first).await, "with its end");
    room.accepted_as(room.keyed(&callee, "default/f/me/\u{1f}key", 1)).await;
}

pub async fn a_key_with_another_payload_names_the_first_call(room: &Room) {
    let callee = Callee::new("f");
    let first = room.accepted_as(room.keyed(&callee, "key", 1)).await;
    let refused = room.store.accept(room.keyed(&callee, "key", 2)).await.expect_err("should be refused");
    assert_eq!(refused.kind(), ErrorKind::KeyReused);
    assert_eq!(refused.metadata().get("invocationId"), Some(&first.to_string()));
}

pub async fn twenty_racing_calls_with_one_key_are_one_call(room: &Room) {
    let callee = Callee::new("f");
    let calls: Vec<NewInvocation> = (0..20).map(|_| room.keyed(&callee, "key", 1)).collect();
    let ids: Vec<InvocationId> = calls.iter().map(|call| call.id).collect();
    let answers = join_all(calls.into_iter().map(|call| room.store.accept(call))).await;
    let told: Vec<InvocationId> = ids
        .into_iter()
        .zip(answers)
        .map(|(id, answer)| match answer.expect("should be accepted") {
            Accepted::New => id,
            Accepted::Existing(record) => record.id,
        })
        .collect();
    assert!(told.iter().all(|id| Some(id) == told.first()), "all were told the same id: {told:?}");
    assert_eq!(room.store.count(&InvocationFilter::default()).await.expect("a count"), 1);
}

pub async fn an_expired_key_is_free_again(room: &Room) {
    let callee = Callee::new("f");
    let first = room.accepted_as(room.keyed(&callee, "key", 1)).await;
    room.clock.advance(DAY);
    let second = room.accepted_as(room.keyed(&callee, "key", 2)).await;
    assert_ne!(first, second);
    let refused = room.store.accept(room.keyed(&callee, "key", 1)).await.expect_err("should be refused");
    assert_eq!(refused.metadata().get("invocationId"), Some(&second.to_string()));
}

pub async fn a_call_accepted_as_running_is_held_by_its_worker(room: &Room) {
    let now = room.clock.now();
    let start = Start::Running { worker: worker("a"), lease: LEASE, started_at: now };
    let id = room.accepted_as(NewInvocation { start, ..room.call(&Callee::new("f")) }).await;
    let running = room.get(id).await;
    assert_eq!(running.lifecycle, Lifecycle::started(now));
    assert_eq!(running.started_at, Some(now));
    let [attempt] = running.attempts.as_slice() else { fail("should have one attempt") };
    assert_eq!((attempt.number, attempt.epoch, &attempt.worker), (1, Epoch(1), &worker("a")));
    assert!(room.store.outbox_due(10).await.expect("rows").is_empty(), "nobody else is told of it");

    room.clock.advance(LEASE);
    let swept = room.store.sweep(&worker("b"), false, policy(1), 10, &[]).await.expect("should be swept");
    assert_eq!(swept.len(), 1, "its lease is one like any other");
}

pub async fn large_and_empty_bodies_come_back_as_they_were(room: &Room) {
    let callee = Callee::new("f");
    for size in [0, 1, 511, 512, 513, 5000, 256 << 10] {
        let bytes: Bytes = (0..size).map(|n| (n % 251) as u8).collect::<Vec<u8>>().into();
        let stored = Stored::inline(Content { bytes, content_type: None });
        let id = room.accepted_as(NewInvocation { payload: stored.clone(), ..room.call(&callee) }).await;
        let claimed = room.claimed(id, &worker("a")).await;
        assert!(claimed.payload == stored, "a payload of {size} bytes is there for the worker");
        let mut end = room.end(id, claimed.lifecycle.epoch, Verdict::Succeeded);
        end.result = stored.clone();
        let ended = room.settled(end).await;
        assert!(ended == room.get(id).await, "the end is told as it is kept ({size} bytes)");
        assert!(ended.payload == stored && ended.result == stored, "bodies of {size} bytes");
    }
    let blob = Stored { body: Body::Blob("payloads/x".into()), size: 1 << 20, content_type: None };
    let id = room.accepted_as(NewInvocation { payload: blob.clone(), ..room.call(&callee) }).await;
    assert_eq!(room.get(id).await.payload, blob);
    let text = Stored::inline(content("text"));
    let id = room.accepted_as(NewInvocation { payload: text.clone(), ..room.call(&callee) }).await;
    assert_eq!(room.get(id).await.payload, text);
}
