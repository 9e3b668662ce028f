//! Requests to warm copies.

use crate::support::{body, eventually, on_demand, request, room, server};
use eventflow_domain::invocation::StartKind;
use eventflow_domain::logs::Stream;
use eventflow_domain::ports::Runtime as _;
use eventflow_domain::spec::Scale;
use eventflow_domain::{Bytes, Reason};
use eventflow_testkit::contract::runtime::call;
use futures::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _};
use http::{HeaderValue, StatusCode};
use pretty_assertions::assert_eq;
use std::sync::Arc;
use std::time::Duration;

/// A small server: echoes what came, and does what some paths ask for.
pub(crate) const ECHO: &str = include_str!("echo.py");

#[tokio::test]
async fn a_request_goes_in_whole_and_its_answer_comes_out_whole() {
    let room = room();
    let version = server(ECHO, on_demand(1, 10));
    let mut sent = request("POST", "/echo?x=1", "hello");
    sent.headers.insert("x-mine", HeaderValue::from_static("1"));
    let call = call(&version, "");
    let trace = call.trace.to_string();
    let (response, _) = room.serve(call, sent).await;
    let response = response.expect("an answer");
    assert_eq!((response.status, response.start), (StatusCode::CREATED, StartKind::Cold));
    assert_eq!(response.headers["x-path"], "/echo?x=1");
    assert_eq!(response.headers["x-mine"], "1");
    assert_eq!(response.headers["x-trace"], trace);
    assert!(response.headers.get("connection").is_none() && response.headers.get("keep-alive").is_none());
    assert_eq!(body(response).await, "hello");
}

#[tokio::test]
async fn the_second_call_finds_a_warm_copy_and_its_connection() {
    let room = room();
    let version = server(ECHO, on_demand(1, 10));
    let peers = [room.get(&version, "/peer").await, room.get(&version, "/peer").await];
    assert_eq!(peers[0], peers[1], "the connection is kept");
    let (response, _) = room.serve(call(&version, ""), request("GET", "/pid", "")).await;
    assert_eq!(response.expect("an answer").start, StartKind::Warm);
}

/// The server writes head and body apart: a held back acknowledgement costs 40 ms for each call.
#[tokio::test]
async fn a_warm_call_does_not_wait_for_the_kernel() {
    let room = room();
    let version = server(ECHO, on_demand(1, 10));
    room.get(&version, "/pid").await.expect("an answer");
    let mut fastest = Duration::MAX;
    for _ in 0..20 {
        let started = tokio::time::Instant::now();
        room.get(&version, "/pid").await.expect("an answer");
        fastest = fastest.min(started.elapsed());
    }
    assert!(fastest < Duration::from_millis(20), "the fastest of 20 took {fastest:?}");
}

#[tokio::test]
async fn the_answer_streams_while_it_is_made() {
    let room = room();
    let version = server(ECHO, on_demand(1, 10));
    let (response, _) = room.serve(call(&version, ""), request("GET", "/stream?0.4", "")).await;
    let mut body = response.expect("an answer").body;
    let first = body.next().await.expect("a piece").expect("no error");
    assert_eq!(first, "one\n");
    let second = tokio::time::timeout(Duration::from_millis(100), body.next()).await;
    assert!(second.is_err(), "the second piece is not there yet");
    assert_eq!(body.next().await.expect("a piece").expect("no error"), "two\n");
    assert!(body.next().await.is_none());
}

#[tokio::test]
async fn the_request_streams_while_it_is_answered() {
    let room = room();
    let version = server(ECHO, on_demand(1, 10));
    let (mut tell, told) = futures::channel::mpsc::channel::<std::io::Result<Bytes>>(4);
    let mut sent = request("POST", "/shout", "");
    sent.headers.insert("content-length", HeaderValue::from_static("6"));
    sent.body = told.boxed();
    tell.try_send(Ok(Bytes::from_static(b"abc"))).expect("there is room");
    let (response, _) = room.serve(call(&version, ""), sent).await;
    let mut body = response.expect("an answer").body;
    assert_eq!(body.next().await.expect("a piece").expect("no error"), "ABC");
    tell.try_send(Ok(Bytes::from_static(b"def"))).expect("there is room");
    assert_eq!(body.next().await.expect("a piece").expect("no error"), "DEF");
}

#[tokio::test]
async fn an_upgraded_connection_carries_bytes_both_ways() {
    let room = room();
    let version = server(ECHO, on_demand(1, 10));
    let mut sent = request("GET", "/upgrade", "");
    sent.headers.insert("upgrade", HeaderValue::from_static("websocket"));
    sent.upgrade = true;
    let (response, _) = room.serve(call(&version, ""), sent).await;
    let response = response.expect("an answer");
    assert_eq!(response.status, StatusCode::SWITCHING_PROTOCOLS);
    let mut connection = response.upgraded.expect("an upgrade").await.expect("a connection");
    for said in [&b"hello"[..], b"again"] {
        connection.write_all(said).await.expect("is sent");
        let mut heard = [0; 5];
        connection.read_exact(&mut heard).await.expect("is answered");
        assert_eq!(heard, said);
    }
}

#[tokio::test]
async fn an_upgraded_connection_ends_at_the_timeout() {
    let room = room();
    let version = server(ECHO, on_demand(1, 10));
    let mut sent = request("GET", "/upgrade", "");
    sent.upgrade = true;
    let mut call = call(&version, "");
    call.timeout = Duration::from_millis(400);
    let (response, _) = room.serve(call, sent).await;
    let mut connection =
        response.expect("an answer").upgraded.expect("an upgrade").await.expect("a connection");
    let error = connection.read(&mut [0]).await.expect_err("should end");
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn the_timeout_covers_the_head_and_the_body_and_the_copy_that_overran_is_replaced() {
    let room = room();
    let version = server(ECHO, on_demand(1, 10));
    let first = room.get(&version, "/pid").await.expect("a pid");
    let mut late = call(&version, "");
    late.timeout = Duration::from_millis(200);
    let (response, _) = room.serve(late.clone(), request("GET", "/sleep?2", "")).await;
    assert_eq!(response.expect_err("a failure").reason, Reason::Timeout);
    let second = room.get(&version, "/pid").await.expect("a pid");
    assert_ne!(first, second);

    let (response, _) = room.serve(late, request("GET", "/stream?2", "")).await;
    let mut body = response.expect("an answer").body;
    assert_eq!(body.next().await.expect("a piece").expect("no error"), "one\n");
    let error = body.next().await.expect("an end").expect_err("an error");
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    assert_ne!(room.get(&version, "/pid").await.expect("a pid"), second);
}

#[tokio::test]
async fn a_process_that_dies_under_a_call_is_no_answer() {
    let room = room();
    let version = server(ECHO, on_demand(1, 10));
    let failure = room.get(&version, "/exit?3").await.expect_err("a failure");
    assert_eq!(failure.reason, Reason::NoAnswer);
    assert!(failure.message.contains("exited with code 3"), "{}", failure.message);
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_answer_is_an_error_in_the_body() {
    let room = room();
    let version = server(ECHO, on_demand(1, 10));
    let (response, _) = room.serve(call(&version, ""), request("GET", "/break", "")).await;
    let mut body = response.expect("an answer").body;
    assert_eq!(body.next().await.expect("a piece").expect("no error"), "part");
    assert!(body.next().await.expect("an end").is_err());
}

#[tokio::test]
async fn what_a_call_prints_is_its_own_and_the_rest_goes_to_the_observer() {
    let room = room();
    let version = server(ECHO, on_demand(1, 10));
    room.runtime.prepare(&version).await;
    for n in 0..20 {
        let (response, logs) =
            room.serve(call(&version, ""), request("GET", &format!("/say?line-{n}"), "")).await;
        assert_eq!(body(response.expect("an answer")).await, "said");
        assert_eq!(logs.lines(Stream::Stdout), [format!("line-{n}")]);
        assert_eq!(logs.lines(Stream::Stderr), [format!("err-line-{n}")]);
    }
    let started = room.heard.lines();
    assert!(started.contains(&(Stream::Stdout, "starting".to_owned(), 0)), "{started:?}");
    let (a, b) = tokio::join!(
        room.serve(call(&version, ""), request("GET", "/say-together?both", "")),
        room.serve(call(&version, ""), request("GET", "/say-together?both", "")),
    );
    assert!(a.1.is_empty() && b.1.is_empty(), "nobody can tell whose it is");
    assert!(room.heard.lines().iter().any(|(_, text, calls)| text == "both" && *calls == 2));
}

#[tokio::test]
async fn one_copy_takes_so_many_calls_and_more_copies_come_up_to_the_maximum() {
    let room = room();
    let version = server(ECHO, on_demand(2, 1));
    let calls = (0..6).map(|_| room.get(&version, "/sleepy-pid"));
    let mut pids: Vec<String> =
        futures::future::join_all(calls).await.into_iter().map(|pid| pid.expect("an answer")).collect();
    pids.sort();
    pids.dedup();
    assert_eq!(pids.len(), 2);
}

#[tokio::test]
async fn calls_over_the_bound_are_refused_at_once() {
    let room = crate::support::room_with(|config| config.bounds.waiting_calls = 2);
    let version = server(ECHO, on_demand(1, 1));
    let calls = (0..4).map(|_| room.get(&version, "/pid"));
    let ended = futures::future::join_all(calls).await;
    let refused: Vec<_> = ended.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), 2);
    assert!(
        refused
            .iter()
            .all(|failure| failure.reason == Reason::TooManyRequests && failure.retry_after.is_some())
    );
}

#[tokio::test]
async fn a_call_that_is_dropped_frees_its_place() {
    let room = room();
    let version = server(ECHO, on_demand(1, 1));
    room.get(&version, "/pid").await.expect("an answer");
    let dropped = tokio::time::timeout(Duration::from_millis(100), room.get(&version, "/sleep?5")).await;
    assert!(dropped.is_err());
    let next = tokio::time::timeout(Duration::from_secs(2), room.get(&version, "/pid")).await;
    next.expect("should not wait for the dropped one").expect("an answer");
}

#[tokio::test]
async fn a_copy_sees_what_is_allowed_and_the_port() {
    let room = room();
    let mut asked = call(&server(ECHO, Scale::Fixed(1)), "");
    asked.env = Arc::new([("MINE".to_owned(), "1".to_owned())]);
    let (response, _) = room.serve(asked, request("GET", "/env", "")).await;
    let env = body(response.expect("an answer")).await;
    let names: Vec<&str> = env.split(' ').collect();
    for name in ["EVENTFLOW_FUNCTION", "EVENTFLOW_VERSION", "HOME", "MINE", "PATH", "PORT", "TMPDIR"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    assert!(!env.contains("CARGO"), "{names:?}");
}

#[tokio::test]
async fn with_other_values_from_secrets_a_new_copy_serves() {
    let room = room();
    let version = server(ECHO, on_demand(1, 10));
    let ask = async |value: &str| {
        let mut asked = call(&version, "");
        asked.env = Arc::new([("SECRET".to_owned(), value.to_owned())]);
        body(room.serve(asked, request("GET", "/value?SECRET", "")).await.0.expect("an answer")).await
    };
    assert_eq!([ask("one").await, ask("one").await, ask("two").await], ["one", "one", "two"]);
    eventually("only one copy stays", || room.records() == 1).await;
}
