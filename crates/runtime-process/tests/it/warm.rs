//! Copies that come and go.

use crate::http::ECHO;
use crate::support::{eventually, on_demand, room, room_with, runs, server};
use eventflow_domain::ports::Runtime as _;
use eventflow_domain::quantity::Memory;
use eventflow_domain::spec::Scale;
use eventflow_domain::{FunctionVersion, Readiness, Reason, VersionNumber};
use eventflow_testkit::FunctionBuilder;
use eventflow_testkit::contract::runtime::call;
use pretty_assertions::assert_eq;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn prepare_starts_the_minimum_and_says_so() {
    let room = room();
    let version = server(ECHO, Scale::Auto { min: 2, max: 3, concurrency: 10, cpu: None });
    let readiness = room.runtime.prepare(&version).await;
    assert!(readiness.is_ready(), "{readiness:?}");
    assert_eq!((readiness.desired_copies, readiness.ready_copies, room.records()), (2, 2, 2));
    let idle = room.runtime.prepare(&server(ECHO, on_demand(1, 1))).await;
    assert_eq!((idle.is_ready(), idle.conditions[0].reason.as_str()), (true, "OnDemand"));
}

#[tokio::test]
async fn idle_copies_stop_down_to_the_minimum() {
    let room = room_with(|config| config.idle_stop = Duration::from_millis(300));
    let version = server(ECHO, Scale::Auto { min: 1, max: 3, concurrency: 1, cpu: None });
    room.runtime.prepare(&version).await;
    let calls = (0..3).map(|_| room.get(&version, "/sleepy-pid"));
    futures::future::join_all(calls).await;
    assert!(room.records() > 1, "more than one was needed");
    eventually("one stays", || room.records() == 1).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(room.records(), 1);

    let on_demand = server(ECHO, on_demand(1, 10));
    let pid: i32 = room.get(&on_demand, "/pid").await.expect("an answer").parse().expect("a pid");
    eventually("none stays where none is kept", || !runs(pid)).await;
    room.get(&on_demand, "/pid").await.expect("and the next call starts one");
}

#[tokio::test]
async fn a_copy_that_crashes_is_started_again_after_a_growing_pause() {
    let room = room_with(|config| {
        config.restart.initial = Duration::from_millis(50);
        config.restart.jitter = 0.0;
    });
    let file = room.file("starts");
    let source = format!(
        "import time\nopen('{}', 'a').write(f'{{time.time()}}\\n')\nprint('no database')\nraise SystemExit(4)",
        file.display()
    );
    let readiness = room.runtime.prepare(&server(&source, Scale::Fixed(1))).await;
    assert!(!readiness.is_ready());
    let starts = || -> Vec<f64> {
        let text = fs::read_to_string(&file).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    };
    eventually("it is started again and again", || starts().len() >= 4).await;
    let starts = starts();
    for (n, pair) in starts.windows(2).enumerate() {
        let least = 0.05 * f64::from(1 << n);
        assert!(pair[1] - pair[0] >= least, "start {n}: {starts:?}");
    }
    let heard = room.heard.last().expect("a report");
    let degraded = heard.condition(Readiness::DEGRADED).expect("a condition");
    assert!(
        degraded.message.contains("code 4") && degraded.message.contains("no database"),
        "{}",
        degraded.message
    );
    assert!(degraded.message.contains("times in a row"), "{}", degraded.message);
    let [copy] = heard.copies.as_slice() else { panic!("one copy: {heard:?}") };
    let exit = copy.last_exit.as_ref().expect("why it ended");
    assert!(copy.restarts >= 3 && exit.message.contains("no database"), "{copy:?}");
    assert_eq!(exit.reason, "StartFailed");
}

#[tokio::test]
async fn a_call_to_what_cannot_start_fails_with_the_cause() {
    let room = room();
    let failure =
        room.get(&server("raise SystemExit('no key')", on_demand(1, 1)), "/").await.expect_err("a failure");
    assert_eq!(failure.reason, Reason::StartFailed);
    assert!(failure.message.contains("no key"), "{}", failure.message);
    let missing = FunctionBuilder::new("missing").command(["no-such-program"]).http().version();
    let failure = room.get(&missing, "/").await.expect_err("a failure");
    assert!(failure.message.contains("command not found"), "{}", failure.message);
    assert_eq!(room.scratch_folders(), 0);
}

#[tokio::test]
async fn a_copy_that_never_listens_misses_its_start_deadline() {
    let room = room();
    let version = FunctionBuilder::new("deaf")
        .command(["sleep", "100"])
        .http()
        .with(|spec| spec.start_deadline = Duration::from_millis(300))
        .version();
    let mut asked = call(&version, "");
    asked.start_deadline = Duration::from_secs(5);
    let (response, _) = room.serve(asked, crate::support::request("GET", "/", "")).await;
    assert_eq!(response.expect_err("a failure").reason, Reason::StartDeadline);
    eventually("it is gone", || room.records() == 0).await;
}

#[tokio::test]
async fn a_copy_is_ready_when_its_probe_answers() {
    let room = room();
    let late = format!(
        "import time, threading\n{}",
        ECHO.replace(
            "        self.answer(\"yes\")",
            "        self.answer(\"yes\", 200 if time.time() > BORN + 0.5 else 503)",
        )
        .replace("class Handler", "BORN = time.time()\nclass Handler")
    );
    let version = FunctionBuilder::new("probed")
        .command(["python3", "-u", "-c", &late])
        .http()
        .with(|spec| {
            spec.scale = Scale::Fixed(1);
            spec.probe_path = Some("/healthy".to_owned());
        })
        .version();
    let readiness = room.runtime.prepare(&version).await;
    assert!(readiness.is_ready(), "{readiness:?}");
    assert_eq!(room.get(&version, "/healthy").await.expect("an answer"), "yes");
}

#[tokio::test]
async fn a_copy_over_its_memory_is_ended_and_the_call_says_so() {
    let room = room();
    let version = FunctionBuilder::new("hog")
        .command(["python3", "-u", "-c", ECHO])
        .http()
        .with(|spec| spec.resources.memory = Memory(64 << 20))
        .version();
    let failure = room.get(&version, "/hog").await.expect_err("a failure");
    assert_eq!(failure.reason, Reason::OutOfMemory, "{}", failure.message);
}

#[tokio::test]
async fn a_retired_version_ends_with_its_last_call_and_the_kept_one_stays() {
    let room = room();
    let old = server(ECHO, Scale::Fixed(1));
    let new = Arc::new(FunctionVersion { number: VersionNumber(2), ..FunctionVersion::clone(&old) });
    room.runtime.prepare(&old).await;
    room.runtime.prepare(&new).await;
    let pid = |version| room.get(version, "/pid");
    let old_pid: i32 = pid(&old).await.expect("an answer").parse().expect("a pid");
    let new_pid: i32 = pid(&new).await.expect("an answer").parse().expect("a pid");
    let running = room.get(&old, "/sleepy-pid");
    let retire = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        room.runtime.retire(&old.key, old.uid, Some(new.number)).await;
    };
    let (answer, ()) = tokio::join!(running, retire);
    assert_eq!(answer.expect("runs to its end"), old_pid.to_string());
    eventually("the old copy is gone", || !runs(old_pid)).await;
    assert!(runs(new_pid));
}

#[tokio::test]
async fn shutdown_ends_all_copies() {
    let room = room();
    let version = server(ECHO, Scale::Fixed(2));
    room.runtime.prepare(&version).await;
    assert_eq!(room.records(), 2);
    room.runtime.shutdown().await;
    assert_eq!((room.records(), room.scratch_folders()), (0, 0));
}
