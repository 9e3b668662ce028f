//! Promises of lists, counts and statistics.

use super::{Callee, Room, failed, worker};
use eventflow_domain::invocation::Stored;
use eventflow_domain::lifecycle::{Lifecycle, Verdict};
use eventflow_domain::ports::{
    Clock as _, DeadLetterGroup, Ended, EndedCell, EndedQuery, InvocationFilter, NewInvocation, QueueStats,
    Start,
};
use eventflow_domain::{
    Attempt, Body, Epoch, Invocation, InvocationId, Reason, Source, StartKind, State, VersionNumber,
};
use pretty_assertions::assert_eq;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

async fn found(room: &Room, filter: &InvocationFilter) -> Vec<InvocationId> {
    let page = room.store.list(filter, None, 100).await.expect("a page");
    assert_eq!(room.store.count(filter).await.expect("a count"), page.invocations.len() as u64);
    page.invocations.into_iter().map(|invocation| invocation.id).collect()
}

pub async fn pages_are_whole_without_gaps_and_newest_first(room: &Room) {
    let (callee, other) = (Callee::new("f"), Callee::new("g"));
    let mut ids = Vec::new();
    for _ in 0..7 {
        ids.push(room.accepted(&callee).await);
        room.accepted(&other).await;
    }
    ids.reverse();
    let filter = InvocationFilter {
        namespace: Some(callee.key.namespace.clone()),
        function: Some(callee.key.name.clone()),
        ..InvocationFilter::default()
    };
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = room.store.list(&filter, after, 3).await.expect("a page");
        assert!(page.invocations.iter().all(|one| one.payload.body == Body::None && one.payload.size == 7));
        seen.extend(page.invocations.iter().map(|invocation| invocation.id));
        // A call that comes in between does not shift the pages.
        room.accepted(&callee).await;
        after = seen.last().copied();
        if !page.more {
            break;
        }
    }
    assert_eq!(seen, ids);
}

pub async fn each_filter_finds_what_it_names(room: &Room) {
    let callee = Callee::new("f");
    let none = InvocationFilter::default;
    let plain = room.accepted(&callee).await;
    let original = InvocationId::generate();
    let special = NewInvocation {
        version: VersionNumber(7),
        source: Source::Replay,
        caller: "somebody".into(),
        replay_of: Some(original),
        ..room.call(&callee)
    };
    let special = room.accepted_as(special).await;
    room.clock.advance(SECOND);
    let mut elsewhere = Callee::new("f");
    elsewhere.key.namespace = crate::namespace("media");
    let elsewhere_id = room.accepted(&elsewhere).await;
    let middle = room.clock.now();
    room.clock.advance(SECOND);
    let bad = room.ran(&callee, failed(Reason::ClientError)).await.id;

    let key = &callee.key;
    let function = |states| InvocationFilter {
        namespace: Some(key.namespace.clone()),
        function: Some(key.name.clone()),
        states,
        ..none()
    };
    for (filter, expected) in [
        (none(), vec![bad, elsewhere_id, special, plain]),
        (InvocationFilter { namespace: Some(elsewhere.key.namespace.clone()), ..none() }, vec![elsewhere_id]),
        (
            InvocationFilter { function: Some(key.name.clone()), ..none() },
            vec![bad, elsewhere_id, special, plain],
        ),
        (function(vec![]), vec![bad, special, plain]),
        (function(vec![State::Queued, State::Running]), vec![special, plain]),
        (function(vec![State::Failed, State::Queued]), vec![bad, special, plain]),
        (InvocationFilter { version: Some(VersionNumber(7)), ..none() }, vec![special]),
        (InvocationFilter { source: Some(Source::Replay), ..none() }, vec![special]),
        (InvocationFilter { caller: Some("somebody".to_owned()), ..none() }, vec![special]),
        (InvocationFilter { replay_of: Some(original), ..none() }, vec![special]),
        (InvocationFilter { reason: Some(Reason::ClientError), ..none() }, vec![bad]),
        (InvocationFilter { reason: Some(Reason::Timeout), ..none() }, vec![]),
        (InvocationFilter { dead_letter: Some(true), ..none() }, vec![bad]),
        (InvocationFilter { dead_letter: Some(false), ..none() }, vec![elsewhere_id, special, plain]),
        (InvocationFilter { start: Some(StartKind::Cold), ..none() }, vec![bad]),
        (InvocationFilter { ids: vec![plain, bad, original], ..none() }, vec![bad, plain]),
        (
            InvocationFilter {
                ids: vec![plain, bad, elsewhere_id],
                dead_letter: Some(true),
                namespace: Some(key.namespace.clone()),
                ..none()
            },
            vec![bad],
        ),
        (InvocationFilter { created_after: Some(middle), ..none() }, vec![bad, elsewhere_id]),
        (InvocationFilter { created_before: Some(middle), ..none() }, vec![special, plain]),
    ] {
        assert_eq!(found(room, &filter).await, expected, "{filter:?}");
        for id in [bad, elsewhere_id, special, plain] {
            assert_eq!(filter.holds(&room.get(id).await), expected.contains(&id), "{filter:?} of {id}");
        }
    }
}

pub async fn queue_stats_tell_what_waits_and_what_is_dead(room: &Room) {
    let (callee, other, idle) = (Callee::new("f"), Callee::new("g"), Callee::new("h"));
    let oldest = room.clock.now();
    room.accepted(&callee).await;
    room.clock.advance(SECOND);
    room.accepted(&callee).await;
    let running = room.accepted(&callee).await;
    room.claimed(running, &worker("a")).await;
    room.ran(&callee, failed(Reason::Timeout)).await;
    room.ran(&other, failed(Reason::ClientError)).await;
    room.ran(&idle, Verdict::Succeeded).await;
    let stats = room.store.queue_stats().await.expect("stats");
    let of = |callee: &Callee| QueueStats {
        function: callee.key.clone(),
        queued: 0,
        retrying: 0,
        running: 0,
        dead_letters: 0,
        oldest_queued: None,
    };
    let expected = [
        QueueStats { queued: 2, retrying: 1, running: 1, oldest_queued: Some(oldest), ..of(&callee) },
        QueueStats { dead_letters: 1, ..of(&other) },
    ];
    assert_eq!(stats, expected);
}

pub async fn window_stats_tell_of_the_last_calls(room: &Room) {
    let callee = Callee::new("f");
    room.ran(&callee, Verdict::Succeeded).await;
    room.clock.advance(SECOND);
    let since = room.clock.now();
    for millis in [30, 10, 20] {
        let id = room.accepted(&callee).await;
        let epoch = room.claimed(id, &worker("a")).await.lifecycle.epoch;
        let verdict = if millis == 10 { failed(Reason::ClientError) } else { Verdict::Succeeded };
        let end = room.end(id, epoch, verdict);
        room.clock.advance(Duration::from_millis(millis));
        room.settled(end).await;
    }
    let stats = room.store.window_stats(&callee.key, since).await.expect("stats");
    assert_eq!((stats.calls, stats.failed, stats.last_call), (3, 1, Some(room.clock.now())));
    assert_eq!((stats.p50, stats.p99), (Some(Duration::from_millis(20)), Some(Duration::from_millis(30))));
    let none = room.store.window_stats(&Callee::new("g").key, since).await.expect("stats");
    assert_eq!((none.calls, none.p50, none.last_call), (0, None, None));
}

pub async fn ended_calls_are_counted_in_steps_of_time(room: &Room) {
    const STEP: Duration = Duration::from_secs(10);
    let (callee, other) = (Callee::new("f"), Callee::new("g"));
    // To the beginning of a step.
    let into = Duration::from_micros((room.clock.now().as_micros() % 10_000_000) as u64);
    room.clock.advance(STEP.saturating_sub(into));
    let first = room.clock.now();
    let ran = async |callee: &Callee, verdict, run| {
        let id = room.accepted(callee).await;
        let epoch = room.claimed(id, &worker("a")).await.lifecycle.epoch;
        let end = room.end(id, epoch, verdict);
        room.clock.advance(run);
        assert_eq!(room.settled(end).await.start, Some(StartKind::Cold));
        assert_eq!(room.get(id).await.start, Some(StartKind::Cold));
        room.clock.now()
    };
    let millis = Duration::from_millis;
    ran(&callee, Verdict::Succeeded, Duration::from_micros(12_345)).await;
    let last = ran(&callee, Verdict::Succeeded, Duration::from_micros(12_449)).await;
    ran(&other, Verdict::Succeeded, millis(1)).await;
    room.clock.advance(STEP);
    let late = ran(&callee, failed(Reason::ClientError), Duration::from_secs(3)).await;
    let waits = room.accepted(&callee).await;
    let query = |since, limit| EndedQuery { function: callee.key.clone(), since, step: STEP, limit };
    let ask = async |query| {
        let mut ended = room.store.ended(&query).await.expect("counts");
        ended.cells.sort_by_key(|cell| cell.at);
        ended
    };
    let cell = |at, state, run, count, last| EndedCell {
        at,
        state,
        start: Some(StartKind::Cold),
        run: Some(run),
        count,
        last,
    };
    let old = cell(first, State::Succeeded, millis(12), 2, last);
    let new = cell(first + STEP, State::Failed, Duration::from_secs(3), 1, late);
    assert_eq!(ask(query(first, 100)).await, Ended { cells: vec![old, new.clone()], from: None });
    assert_eq!(ask(query(first + STEP, 100)).await, Ended { cells: vec![new.clone()], from: None });
    assert_eq!(ask(query(first, 1)).await, Ended { cells: vec![new], from: Some(late) });
    // Cancelled before it started: it has no run.
    room.clock.advance(SECOND);
    room.store.cancel(waits).await.expect("should be cancelled");
    let cancelled = ask(query(room.clock.now(), 100)).await;
    let [cell] = cancelled.cells.as_slice() else { super::fail("one cell") };
    assert_eq!((cell.state, cell.run, cell.start, cell.count), (State::Cancelled, None, None, 1));
}

pub async fn dead_letters_are_grouped_by_function_and_reason(room: &Room) {
    let (callee, other) = (Callee::new("f"), Callee::new("g"));
    let mut elsewhere = Callee::new("f");
    elsewhere.key.namespace = crate::namespace("media");
    room.ran(&callee, Verdict::Succeeded).await;
    let first = room.ran(&callee, failed(Reason::ClientError)).await;
    room.clock.advance(SECOND);
    let last = room.ran(&callee, failed(Reason::ClientError)).await;
    let large = room.ran(&callee, failed(Reason::ResultTooLarge)).await;
    let of_other = room.ran(&other, failed(Reason::ClientError)).await;
    let away = room.ran(&elsewhere, failed(Reason::ClientError)).await;
    let group = |of: &[&Invocation]| {
        let [first, .., last] = [of, of].concat()[..] else { super::fail("calls") };
        DeadLetterGroup {
            function: last.function.clone(),
            reason: last.failure.as_ref().expect("a failure").reason,
            count: of.len() as u64,
            oldest: first.ended_at.expect("an end"),
            newest: last.ended_at.expect("an end"),
            sample: last.id,
            message: "it went wrong".to_owned(),
        }
    };
    let [both, large, of_other, away] =
        [group(&[&first, &last]), group(&[&large]), group(&[&of_other]), group(&[&away])];
    let ask = async |filter: InvocationFilter, limit| {
        let filter = InvocationFilter { dead_letter: Some(true), ..filter };
        room.store.dead_letter_groups(&filter, limit).await.expect("groups")
    };
    let all = InvocationFilter::default;
    let groups = [both.clone(), large.clone(), of_other.clone(), away.clone()];
    assert_eq!(ask(all(), 10).await, groups);
    assert_eq!(ask(all(), 1).await, std::slice::from_ref(&both));
    let here = || InvocationFilter { namespace: Some(callee.key.namespace.clone()), ..all() };
    assert_eq!(ask(here(), 10).await, [both.clone(), large.clone(), of_other]);
    let one = InvocationFilter { function: Some(callee.key.name.clone()), ..here() };
    assert_eq!(ask(one, 10).await, [both, large.clone()]);
    assert_eq!(ask(InvocationFilter { reason: Some(Reason::ResultTooLarge), ..here() }, 10).await, [large]);
    assert!(room.store.clear_dead_letter(away.sample).await.expect("should be cleared"));
    assert_eq!(ask(all(), 10).await.len(), 3);
}

/// A sync call that was run without an accept.
fn ended(room: &Room, callee: &Callee) -> Invocation {
    let now = room.clock.now();
    let call = room.call(callee);
    let attempt = Attempt {
        number: 1,
        epoch: Epoch(1),
        version: call.version,
        worker: worker("a"),
        started_at: now,
        ended_at: Some(now + SECOND),
        start: Some(StartKind::Warm),
        outcome: Some(State::Succeeded),
        exit_code: Some(0),
        failure: None,
    };
    Invocation {
        id: call.id,
        function: call.function,
        function_uid: call.function_uid,
        version: call.version,
        lifecycle: Lifecycle { state: State::Succeeded, ..Lifecycle::started(now) },
        source: Source::Sync,
        caller: call.caller,
        replay_of: None,
        trace: call.trace,
        payload: call.payload,
        result: Stored::inline(crate::content("result")),
        http_status: Some(200),
        failure: None,
        created_at: now,
        started_at: Some(now),
        ended_at: Some(now + SECOND),
        attempts: vec![attempt],
        logs_truncated: false,
        start: Some(StartKind::Warm),
    }
}

pub async fn whole_records_are_kept_once(room: &Room) {
    let callee = Callee::new("f");
    let records: Vec<Invocation> = (0..45).map(|_| ended(room, &callee)).collect();
    room.store.record(records.clone()).await.expect("should be recorded");
    let mut changed = records.clone();
    for record in &mut changed {
        record.http_status = Some(500);
        record.attempts.clear();
    }
    let new = ended(room, &callee);
    changed.push(new.clone());
    room.store.record(changed).await.expect("should be recorded");
    for record in records.iter().chain([&new]) {
        assert_eq!(&room.get(record.id).await, record);
    }
    let warm = InvocationFilter { start: Some(StartKind::Warm), ..InvocationFilter::default() };
    assert_eq!(found(room, &warm).await.len(), 46);
    let stats = room.store.window_stats(&callee.key, room.clock.now()).await.expect("stats");
    assert_eq!((stats.calls, stats.p50), (46, Some(SECOND)));
}

pub async fn a_recorded_call_that_waits_is_published(room: &Room) {
    let callee = Callee::new("f");
    let waits = Invocation {
        lifecycle: Lifecycle::accepted(room.clock.now()),
        attempts: Vec::new(),
        start: None,
        result: Stored::NOTHING,
        http_status: None,
        started_at: None,
        ended_at: None,
        ..ended(room, &callee)
    };
    room.store.record(vec![waits.clone()]).await.expect("should be recorded");
    assert_eq!(room.store.outbox_due(10).await.expect("rows").len(), 1);
    let start = Start::Queued { not_before: room.clock.now() };
    let one_more = NewInvocation { start, queue_max: 1, ..room.call(&callee) };
    assert!(room.store.accept(one_more).await.is_err(), "it has its place in the queue");
    room.claimed(waits.id, &worker("a")).await;
}

pub async fn a_ping_writes(room: &Room) {
    room.store.ping().await.expect("should be written");
    room.store.ping().await.expect("should be written");
}
