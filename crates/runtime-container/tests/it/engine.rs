//! Engines that are not there, and those that come and go.

use crate::support::{call, config, eventually, room_of, sh, skipped, unique};
use eventflow_domain::ports::Runtime as _;
use eventflow_domain::{ErrorKind, Reason};
use eventflow_testkit::contract::runtime::output;
use eventflow_testkit::servers::podman::Podman;
use pretty_assertions::assert_eq;
use std::path::Path;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_engine_each_answer_names_the_fix() {
    let folder = tempfile::tempdir().expect("a folder");
    let nowhere = folder.path().join("no.sock");
    let room = room_of(config(&nowhere, &unique(), 1));
    let why = room.runtime.look().await.expect_err("no engine");
    for part in
        [&*nowhere.to_string_lossy(), "not there", "systemctl --user start podman.socket", "container.socket"]
    {
        assert!(why.contains(part), "{part} in {why}");
    }
    assert_eq!(room.runtime.unavailable(), Some(why.clone()));
    let version = sh("echo hi");
    let refused = room.runtime.check(&version).await.expect_err("is refused");
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(format!("{refused:?}").contains("podman.socket"), "{refused:?}");
    let readiness = room.runtime.prepare(&version).await;
    assert_eq!(readiness.condition("Ready").expect("a condition").reason, "EngineUnavailable");
    let (ran, _) = room.run(call(&version, "")).await;
    let failure = ran.failure.expect("a failure");
    assert_eq!((failure.reason, failure.message), (Reason::RuntimeUnavailable, why));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_engine_is_not_taken_for_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("is written");
    let why = room_of(config(&file, &unique(), 1)).runtime.look().await.expect_err("no engine");
    assert!(why.contains("no socket"), "{why}");
    let silent = folder.path().join("silent.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&silent).expect("a socket");
    let why = room_of(config(&silent, &unique(), 1)).runtime.look().await.expect_err("no engine");
    assert!(why.contains("does not answer"), "{why}");
    let dead = folder.path().join("dead.sock");
    drop(std::os::unix::net::UnixListener::bind(&dead).expect("a socket"));
    let why = room_of(config(&dead, &unique(), 1)).runtime.look().await.expect_err("no engine");
    assert!(why.contains("refused"), "{why}");
    assert!(room_of(config(Path::new("/"), &unique(), 1)).runtime.look().await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_goes_and_comes_back_is_noticed_and_told() {
    let mut podman = match Podman::start() {
        Ok(podman) => podman,
        Err(why) => return skipped(&why),
    };
    let room = room_of(config(&podman.socket(), &unique(), 1));
    room.runtime.look().await.expect("an engine");
    let version = sh("echo hi");
    assert!(room.runtime.prepare(&version).await.is_ready());
    podman.down();
    let (ran, _) = room.run(call(&version, "")).await;
    assert_eq!(ran.failure.expect("a failure").reason, Reason::RuntimeUnavailable);
    let told = || room.heard.last().and_then(|told| Some(told.condition("Ready")?.reason.clone()));
    eventually("its absence is told", || told().as_deref() == Some("EngineUnavailable")).await;
    podman.up();
    eventually("its return is told", || told().as_deref() == Some("ImageFound")).await;
    let (ran, _) = room.run(call(&version, "")).await;
    assert_eq!(output(ran).bytes, "hi\n");
}
