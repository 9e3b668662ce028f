//! Requests to warm containers.

use crate::support::{body, call, eventually, podman, request, room, server};
use eventflow_domain::Reason;
use eventflow_domain::invocation::StartKind;
use eventflow_domain::logs::Stream;
use eventflow_domain::ports::Runtime as _;
use eventflow_domain::spec::Scale;
use pretty_assertions::assert_eq;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_call_starts_a_copy_and_the_second_finds_it() {
    let Some(room) = room().await else { return };
    let version = server("", |_| {});
    let (response, logs) = room.serve(call(&version, ""), request("POST", "/", "hello")).await;
    let response = response.expect("an answer");
    assert_eq!((response.status.as_u16(), response.start), (200, StartKind::Cold));
    assert_eq!(body(response).await, "hello");
    eventually("its line is there", || logs.lines(Stream::Stderr) == ["asked for POST"]).await;
    let (response, _) = room.serve(call(&version, ""), request("POST", "/", "again")).await;
    let response = response.expect("an answer");
    assert_eq!(response.start, StartKind::Warm);
    assert_eq!(body(response).await, "again");
    assert!(room.heard.lines().contains(&"starting".to_owned()), "{:?}", room.heard.lines());
    room.runtime.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_listen_on_loopback_only_and_each_on_a_port_of_its_own() {
    let Some(room) = room().await else { return };
    let podman = podman().expect("is there");
    let version = server("", |spec| spec.scale = Scale::Fixed(2));
    let readiness = room.runtime.prepare(&version).await;
    assert!(readiness.is_ready(), "{readiness:?}");
    let name = format!("fn-job-v{}-", version.number);
    let uid = podman.podman(["ps", "--filter", &format!("name={name}"), "--format", "{{.Names}} {{.Ports}}"]);
    for line in uid.lines() {
        let (_, ports) = line.split_once(' ').expect("ports");
        assert!(ports.starts_with("127.0.0.1:"), "{line}");
    }
    let hosts = [room.post(&version, "/?host", "").await, room.post(&version, "/?host", "").await];
    assert!(hosts.iter().all(Result::is_ok), "{hosts:?}");
    room.runtime.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_dies_under_a_call_is_no_answer_and_another_comes() {
    let Some(room) = room().await else { return };
    let version = server("", |_| {});
    let failure = room.post(&version, "/?exit", "").await.expect_err("a failure");
    assert_eq!(failure.reason, Reason::NoAnswer, "{}", failure.message);
    assert_eq!(room.post(&version, "/", "alive").await.expect("an answer"), "alive");
    let told = room.heard.last().expect("a report");
    assert!(told.condition("Degraded").is_some(), "{told:?}");
    room.runtime.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_never_listens_misses_its_start_deadline_and_what_ends_says_its_last_words() {
    let Some(room) = room().await else { return };
    let deaf = server("sleep 100", |spec| spec.start_deadline = Duration::from_secs(4));
    let failure = room.post(&deaf, "/", "").await.expect_err("a failure");
    assert_eq!(failure.reason, Reason::StartDeadline, "{}", failure.message);
    let broken = server("echo no database >&2; exit 9", |_| {});
    let failure = room.post(&broken, "/", "").await.expect_err("a failure");
    assert_eq!(failure.reason, Reason::StartFailed, "{}", failure.message);
    assert!(failure.message.contains("exit code 9"), "{}", failure.message);
    assert!(failure.message.contains("no database"), "{}", failure.message);
    room.runtime.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_timeout_ends_the_call_and_the_copy_that_overran_takes_no_more() {
    let Some(room) = room().await else { return };
    let version = server("", |_| {});
    let first = room.post(&version, "/?host", "").await.expect("a name");
    let mut late = call(&version, "");
    late.timeout = Duration::from_millis(300);
    let (response, _) = room.serve(late, request("POST", "/?sleep", "")).await;
    let failure = match response {
        Err(failure) => failure.reason,
        // Its head came before its body.
        Ok(response) => {
            use futures::StreamExt as _;
            let mut body = response.body;
            let error = loop {
                match body.next().await {
                    Some(Err(error)) => break error,
                    Some(Ok(_)) => {}
                    None => panic!("it should not end"),
                }
            };
            assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
            Reason::Timeout
        }
    };
    assert_eq!(failure, Reason::Timeout);
    assert_ne!(room.post(&version, "/?host", "").await.expect("a name"), first);
    room.runtime.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_cannot_be_had_is_told_by_the_condition() {
    let Some(room) = room().await else { return };
    let version = server("", |spec| {
        spec.image = Some(eventflow_domain::spec::Image::Oci("localhost:1/nobody/nothing:7".to_owned()));
        spec.scale = Scale::Fixed(1);
    });
    let readiness = room.runtime.prepare(&version).await;
    let reasons =
        ["Ready", "Degraded"].map(|kind| readiness.condition(kind).expect("a condition").reason.clone());
    assert_eq!(reasons, ["ImagePullFailed", "ImagePullFailed"]);
    room.runtime.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retired_and_shut_down_copies_are_gone() {
    let Some(room) = room().await else { return };
    let podman = podman().expect("is there");
    let version = server("", |_| {});
    let host = room.post(&version, "/?host", "").await.expect("a name");
    let is_there =
        || podman.podman(["ps", "--all", "--format", "{{.ID}}"]).lines().any(|id| host.starts_with(id));
    assert!(is_there());
    room.runtime.retire(&version.key, version.uid, None).await;
    eventually("the retired copy is gone", || !is_there()).await;
    let host = room.post(&version, "/?host", "").await.expect("a name");
    room.runtime.shutdown().await;
    let left = podman.podman(["ps", "--all", "--format", "{{.ID}}"]);
    assert!(!left.lines().any(|id| host.starts_with(id)), "{left}");
}
