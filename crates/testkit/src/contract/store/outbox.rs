//! Promises of the outbox.

use super::{Callee, LEASE, Room, policy, worker};
use eventflow_domain::ports::{Clock as _, Message, NewInvocation, OutboxRow, Start};
use eventflow_domain::{Epoch, InvocationId};
use pretty_assertions::assert_eq;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

async fn due(room: &Room) -> Vec<OutboxRow> {
    room.store.outbox_due(100).await.expect("rows")
}

fn ids(rows: &[OutboxRow]) -> Vec<InvocationId> {
    rows.iter().map(|row| row.message.invocation).collect()
}

async fn done(room: &Room, rows: &[OutboxRow]) {
    room.store.outbox_done(rows.iter().map(|row| row.seq).collect()).await.expect("should be marked");
}

pub async fn an_accepted_call_is_due_once(room: &Room) {
    let callee = Callee::new("f");
    let id = room.accepted(&callee).await;
    let rows = due(room).await;
    let record = room.store.get(id).await.expect("an answer").expect("a record");
    let expected = Message {
        invocation: id,
        function: callee.key.clone(),
        function_uid: callee.uid,
        epoch: Epoch(0),
        publish: 1,
        trace: record.trace,
    };
    assert_eq!(rows.iter().map(|row| row.message.clone()).collect::<Vec<_>>(), [expected]);
    assert_eq!(due(room).await, rows, "until it is done");
    done(room, &rows).await;
    done(room, &rows).await;
    assert!(due(room).await.is_empty());
    assert_eq!(room.store.outbox_next().await.expect("an answer"), None);
}

pub async fn a_delayed_call_is_due_at_its_time(room: &Room) {
    let at = room.clock.now() + 10 * SECOND;
    let start = Start::Queued { not_before: at };
    let id = room.accepted_as(NewInvocation { start, ..room.call(&Callee::new("f")) }).await;
    assert!(due(room).await.is_empty());
    assert_eq!(room.store.outbox_next().await.expect("an answer"), Some(at));
    room.clock.advance(20 * SECOND);
    assert_eq!(ids(&due(room).await), [id]);
}

pub async fn due_rows_come_oldest_first_and_bounded(room: &Room) {
    let callee = Callee::new("f");
    let mut all = Vec::new();
    for _ in 0..5 {
        all.push(room.accepted(&callee).await);
        room.clock.advance(SECOND);
    }
    let first = room.store.outbox_due(2).await.expect("rows");
    assert_eq!(ids(&first), all.get(..2).unwrap_or_default());
    done(room, &first).await;
    assert_eq!(ids(&due(room).await), all.get(2..).unwrap_or_default());
}

pub async fn a_published_call_is_published_again_only_when_the_bus_lost_it(room: &Room) {
    let (callee, other) = (Callee::new("f"), Callee::new("g"));
    let (id, _) = (room.accepted(&callee).await, room.accepted(&other).await);
    let started = room.clock.now();
    assert_eq!(
        room.store.republish(None, started + SECOND, 10).await.expect("a count"),
        0,
        "not published yet"
    );
    let published = async |before| room.store.published(&callee.key, before).await.expect("a count");
    assert_eq!(published(started + SECOND).await, 0, "not published yet");
    done(room, &due(room).await).await;
    assert_eq!(room.store.republish(None, started, 10).await.expect("a count"), 0, "published since");
    assert_eq!(published(started).await, 0, "published since");
    room.clock.advance(60 * SECOND);
    let before = room.clock.now();
    assert_eq!(published(before).await, 1, "not that of the other function");
    assert_eq!(room.store.republish(Some(&callee.key), before, 10).await.expect("a count"), 1);
    assert_eq!(
        room.store.republish(Some(&callee.key), before, 10).await.expect("a count"),
        0,
        "it has a row"
    );
    assert_eq!(published(before).await, 0, "it has a row");
    let rows = due(room).await;
    assert_eq!(
        rows.iter().map(|row| (row.message.invocation, row.message.publish)).collect::<Vec<_>>(),
        [(id, 2)]
    );
    done(room, &rows).await;
    assert_eq!(room.store.republish(None, before, 10).await.expect("a count"), 1, "the other one");
    done(room, &due(room).await).await;
    assert_eq!(room.store.republish(None, before, 10).await.expect("a count"), 0);

    room.clock.advance(60 * SECOND);
    room.claimed(id, &worker("a")).await;
    assert_eq!(published(room.clock.now()).await, 0, "it runs");
    let again = room.store.republish(None, room.clock.now(), 1).await.expect("a count");
    assert_eq!((again, ids(&due(room).await).contains(&id)), (1, false), "what runs is not published");
}

pub async fn a_late_done_does_not_take_away_a_newer_row(room: &Room) {
    let id = room.accepted(&Callee::new("f")).await;
    let first = due(room).await;
    // Claimed by another way and lost, before the relay says that it published the first row.
    room.claimed(id, &worker("a")).await;
    room.clock.advance(LEASE);
    room.store.sweep(&worker("b"), false, policy(1), 10, &[]).await.expect("should be swept");
    done(room, &first).await;
    let rows = due(room).await;
    assert_eq!(
        rows.iter().map(|row| (row.message.invocation, row.message.epoch)).collect::<Vec<_>>(),
        [(id, Epoch(1))]
    );
}

pub async fn a_cancelled_call_is_not_published(room: &Room) {
    let id = room.accepted(&Callee::new("f")).await;
    room.store.cancel(id).await.expect("should be cancelled");
    assert!(due(room).await.is_empty());
    room.clock.advance(60 * SECOND);
    assert_eq!(room.store.republish(None, room.clock.now(), 10).await.expect("a count"), 0);
}
