//! Promises of what is forgotten, and of what is not.

use super::functions::{row, version};
use super::{Callee, DAY, Room, failed, worker};
use eventflow_domain::invocation::Stored;
use eventflow_domain::lifecycle::Verdict;
use eventflow_domain::logs::{LogLine, LogPosition, Stream};
use eventflow_domain::ports::{Clock as _, FunctionRow, NewInvocation, Retention, RetentionReport};
use eventflow_domain::spec::Image;
use eventflow_domain::{ArtifactDigest, Body, InvocationId, Reason, State, VersionNumber};
use pretty_assertions::assert_eq;
use std::sync::Arc;

fn retention() -> Retention {
    Retention { max_age: 7 * DAY, max_count: 1000, batch: 100 }
}

async fn retain(room: &Room, retention: &Retention) -> RetentionReport {
    room.store.retain(retention).await.expect("should be done")
}

async fn is_there(room: &Room, id: InvocationId) -> bool {
    room.store.get(id).await.expect("should be read").is_some()
}

async fn log(room: &Room, callee: &Callee, id: InvocationId) {
    let position = LogPosition { attempt: 1, seq: 1 };
    let line = LogLine { position, stream: Stream::Stdout, time: room.clock.now(), text: "said".into() };
    room.store.log_append(id, callee.uid, &callee.key, vec![line]).await.expect("should be kept");
}

async fn lines(room: &Room, id: InvocationId) -> usize {
    room.store.log_read(id, None, 10).await.expect("lines").len()
}

pub async fn old_ended_calls_are_forgotten_with_all_that_belongs_to_them(room: &Room) {
    let callee = Callee::new("f");
    let old = room.ran(&callee, Verdict::Succeeded).await.id;
    let orphan = InvocationId::generate();
    log(room, &callee, old).await;
    log(room, &callee, orphan).await;
    room.clock.advance(4 * DAY);
    let young = room.ran(&callee, failed(Reason::ClientError)).await.id;
    log(room, &callee, young).await;
    room.clock.advance(4 * DAY);
    assert_eq!(retain(room, &retention()).await, RetentionReport { removed: 1, more: false });
    assert_eq!((is_there(room, old).await, is_there(room, young).await), (false, true));
    assert_eq!((lines(room, old).await, lines(room, orphan).await, lines(room, young).await), (0, 0, 1));
    assert_eq!(retain(room, &retention()).await, RetentionReport::default());
    // Nothing of it is left that could stand in the way of a call of the same id.
    let again = NewInvocation { id: old, ..room.call(&callee) };
    room.accepted_as(again).await;
    room.claimed(old, &worker("a")).await;
    assert_eq!(room.get(old).await.attempts.len(), 1);
}

pub async fn only_the_newest_ended_calls_are_kept(room: &Room) {
    let (callee, other) = (Callee::new("f"), Callee::new("g"));
    let mut ids = Vec::new();
    for _ in 0..5 {
        room.clock.advance(std::time::Duration::from_secs(1));
        ids.push(room.ran(&callee, Verdict::Succeeded).await.id);
    }
    let of_other = room.ran(&other, Verdict::Succeeded).await.id;
    let report = retain(room, &Retention { max_count: 2, ..retention() }).await;
    assert_eq!(report.removed, 3);
    let mut kept = Vec::new();
    for id in &ids {
        kept.push(is_there(room, *id).await);
    }
    assert_eq!(kept, [false, false, false, true, true]);
    assert!(is_there(room, of_other).await, "the count is per function");
}

pub async fn live_calls_are_never_forgotten(room: &Room) {
    let callee = Callee::new("f");
    let (queued, running, retrying) =
        (room.accepted(&callee).await, room.accepted(&callee).await, room.accepted(&callee).await);
    room.claimed(running, &worker("a")).await;
    let epoch = room.claimed(retrying, &worker("a")).await.lifecycle.epoch;
    room.settled(room.end(retrying, epoch, failed(Reason::Timeout))).await;
    room.clock.advance(30 * DAY);
    assert_eq!(retain(room, &Retention { max_count: 0, ..retention() }).await.removed, 0);
    for (id, state) in [(queued, State::Queued), (running, State::Running), (retrying, State::Retrying)] {
        assert_eq!(room.get(id).await.state(), state);
    }
}

pub async fn calls_of_live_keys_are_kept(room: &Room) {
    let callee = Callee::new("f");
    let id = room.accepted_as(room.keyed(&callee, "key", 1)).await;
    let epoch = room.claimed(id, &worker("a")).await.lifecycle.epoch;
    room.settled(room.end(id, epoch, Verdict::Succeeded)).await;
    let none = Retention { max_count: 0, ..retention() };
    assert_eq!(retain(room, &none).await.removed, 0);
    assert!(is_there(room, id).await, "the key still answers with it");
    room.clock.advance(DAY);
    assert_eq!(retain(room, &none).await.removed, 1);
    room.accepted_as(room.keyed(&callee, "key", 2)).await;
}

pub async fn removal_is_in_batches(room: &Room) {
    let (callee, other) = (Callee::new("f"), Callee::new("g"));
    for callee in [&callee, &callee, &callee, &other, &other] {
        room.ran(callee, Verdict::Succeeded).await;
    }
    let rule = Retention { max_count: 0, batch: 2, ..retention() };
    let mut removed = Vec::new();
    loop {
        let report = retain(room, &rule).await;
        removed.push(report.removed);
        if !report.more {
            break;
        }
    }
    assert_eq!(removed, [2, 2, 1]);
}

pub async fn versions_of_a_deleted_function_go_with_their_last_record(room: &Room) {
    let callee = Callee::new("f");
    for n in 1..=2 {
        let row = row(room, &callee, i64::from(n), n);
        room.store
            .function_put(row.clone(), Some(version(&row)), i64::from(n) - 1)
            .await
            .expect("should be put");
    }
    room.ran(&callee, Verdict::Succeeded).await;
    let versions = async || {
        let versions = room.store.version_list(callee.uid).await.expect("versions");
        versions.iter().map(|version| version.number.0).collect::<Vec<_>>()
    };
    retain(room, &retention()).await;
    assert_eq!(versions().await, [2, 1], "a function that is there keeps all");
    room.store.function_remove(&callee.key, callee.uid).await.expect("should be removed");
    retain(room, &retention()).await;
    assert_eq!(versions().await, [1], "a record names it");
    room.clock.advance(8 * DAY);
    retain(room, &retention()).await;
    assert!(versions().await.is_empty());
    assert_eq!(room.store.function_last_version(&callee.key).await.expect("a number"), VersionNumber(2));
}

pub async fn blobs_named_by_records_and_versions_are_in_use(room: &Room) {
    let callee = Callee::new("f");
    let digest = ArtifactDigest::from_bytes([9; 32]);
    let mut spec = crate::spec();
    spec.image = Some(Image::Artifact(digest));
    let function = FunctionRow { spec: Arc::new(spec), ..row(room, &callee, 1, 1) };
    room.store.function_put(function.clone(), Some(version(&function)), 0).await.expect("should be put");

    let blob = |key: &str| Stored { body: Body::Blob(key.into()), size: 1 << 20, content_type: None };
    let id = room.accepted_as(NewInvocation { payload: blob("payloads/1"), ..room.call(&callee) }).await;
    let epoch = room.claimed(id, &worker("a")).await.lifecycle.epoch;
    let end = room.end(id, epoch, Verdict::Succeeded);
    room.settled(eventflow_domain::ports::Settlement { result: blob("results/1"), ..end }).await;

    let artifact = format!("artifacts/{}", digest.hex());
    let used = async || {
        let keys = [artifact.as_str(), "payloads/1", "results/1", "payloads/2"];
        room.store.blobs_in_use(keys.into_iter().map(Arc::from).collect()).await.expect("answers")
    };
    assert_eq!(used().await, [true, true, true, false]);
    room.clock.advance(8 * DAY);
    retain(room, &retention()).await;
    assert_eq!(used().await, [true, false, false, false]);
    room.store.function_remove(&callee.key, callee.uid).await.expect("should be removed");
    retain(room, &retention()).await;
    assert_eq!(used().await, [false, false, false, false]);
}
