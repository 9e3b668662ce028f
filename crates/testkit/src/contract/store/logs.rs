//! Promises of captured output.

use super::{Callee, Room};
use eventflow_domain::logs::{FunctionLogLine, LogLine, LogPosition, Stream};
use eventflow_domain::ports::{Clock as _, LineKey, LogQuery};
use eventflow_domain::{InvocationId, Timestamp};
use pretty_assertions::assert_eq;
use std::time::Duration;

fn line(attempt: u32, seq: u32, time: Timestamp) -> LogLine {
    let stream = if seq.is_multiple_of(2) { Stream::Stderr } else { Stream::Stdout };
    let position = LogPosition { attempt, seq };
    LogLine { position, stream, time, text: format!("line {position} ü \u{0}").into() }
}

async fn append(room: &Room, callee: &Callee, id: InvocationId, lines: &[LogLine]) {
    room.store.log_append(id, callee.uid, &callee.key, lines.to_vec()).await.expect("should be kept");
}

pub async fn lines_come_back_in_order_and_once(room: &Room) {
    let (callee, now) = (Callee::new("f"), room.clock.now());
    let id = InvocationId::generate();
    let first: Vec<LogLine> = (1..=70).map(|seq| line(1, seq, now)).collect();
    let second: Vec<LogLine> = (1..=3).map(|seq| line(2, seq, now)).collect();
    append(room, &callee, id, &second).await;
    append(room, &callee, id, &first).await;
    // A retried append, with other text: what is there stays.
    let again: Vec<LogLine> =
        first.iter().map(|line| LogLine { text: "other".into(), ..line.clone() }).collect();
    append(room, &callee, id, &again).await;
    append(room, &callee, id, &[]).await;
    append(room, &callee, InvocationId::generate(), &[line(1, 1, now)]).await;
    let all: Vec<LogLine> = first.into_iter().chain(second).collect();
    assert_eq!(room.store.log_read(id, None, 1000).await.expect("lines"), all);
}

pub async fn reading_resumes_behind_a_position(room: &Room) {
    let (callee, now) = (Callee::new("f"), room.clock.now());
    let id = InvocationId::generate();
    let lines = [line(1, 1, now), line(1, 2, now), line(2, 1, now), line(2, 2, now)];
    append(room, &callee, id, &lines).await;
    let read = async |after, limit| {
        let lines = room.store.log_read(id, after, limit).await.expect("lines");
        lines.iter().map(|line| line.position.to_string()).collect::<Vec<_>>()
    };
    let behind = |attempt, seq| Some(LogPosition { attempt, seq });
    assert_eq!(read(None, 2).await, ["1:1", "1:2"]);
    assert_eq!(read(behind(1, 2), 10).await, ["2:1", "2:2"]);
    assert_eq!(read(behind(1, 99), 1).await, ["2:1"]);
    assert!(read(behind(2, 2), 10).await.is_empty());
}

pub async fn lines_of_a_function_come_by_time_and_by_tail(room: &Room) {
    let (callee, other) = (Callee::new("f"), Callee::new("g"));
    let at = |seconds| room.clock.now() + Duration::from_secs(seconds);
    let (one, two) = (InvocationId::generate(), InvocationId::generate());
    append(room, &callee, one, &[line(1, 1, at(1)), line(1, 2, at(4))]).await;
    append(room, &callee, two, &[line(1, 1, at(2)), line(1, 2, at(3))]).await;
    append(room, &other, InvocationId::generate(), &[line(1, 1, at(2))]).await;
    let query = async |since, tail| {
        let query = LogQuery { function: callee.key.clone(), since, tail, before: None };
        room.store.log_query(&query).await.expect("lines")
    };
    let of = |id, line| FunctionLogLine { invocation: Some(id), approximate: false, line };
    let all = [
        of(one, line(1, 1, at(1))),
        of(two, line(1, 1, at(2))),
        of(two, line(1, 2, at(3))),
        of(one, line(1, 2, at(4))),
    ];
    assert_eq!(query(None, 100).await, all);
    assert_eq!(query(None, 2).await, all.get(2..).unwrap_or_default());
    assert_eq!(query(Some(at(2)), 100).await, all.get(1..).unwrap_or_default());
    // Backwards in pages of one: each line once, whatever their times.
    append(room, &callee, two, &[line(2, 1, at(3)), line(2, 2, at(3))]).await;
    let (mut before, mut read) = (None, Vec::new());
    loop {
        let query = LogQuery { function: callee.key.clone(), since: Some(at(2)), tail: 1, before };
        let page = room.store.log_query(&query).await.expect("lines");
        let Some(found) = page.first() else { break };
        let invocation = found.invocation.expect("of a call");
        before = Some(LineKey { time: found.line.time, invocation, position: found.line.position });
        read.push((invocation, found.line.position.to_string()));
    }
    let expected = [(one, "1:2"), (two, "2:2"), (two, "2:1"), (two, "1:2"), (two, "1:1")]
        .map(|(id, at)| (id, at.to_owned()));
    assert_eq!(read, expected);
}
