//! What a killed server leaves in the engine, and whose it is.

use crate::support::{call, config, eventually, podman, room_of, sh, unique};
use eventflow_domain::ports::Runtime as _;
use eventflow_testkit::contract::runtime::output;
use eventflow_testkit::servers::podman::Podman;
use pretty_assertions::assert_eq;
use std::time::Duration;

/// A container as a server of an installation makes it.
fn plant(podman: &Podman, id: &str, server: u64) -> String {
    let name = format!("planted-{}", unique());
    podman.podman([
        "run",
        "--detach",
        "--network",
        "none",
        "--name",
        &name,
        "--label",
        &format!("eventflow.io/installation={id}"),
        "--label",
        &format!("eventflow.io/server={server}"),
        "--volume",
        "/eventflow",
        Podman::IMAGE,
        "sleep",
        "1000",
    ]);
    name
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_server_removes_what_the_last_one_left_before_it_starts_anything() {
    let Some(podman) = podman() else { return };
    let (mine, other) = (unique(), unique());
    let left = [plant(podman, &mine, 1), plant(podman, &mine, 2)];
    let foreign = plant(podman, &other, 1);
    let newer = plant(podman, &mine, 4);
    let room = room_of(config(&podman.socket(), &mine, 3));
    let (ran, _) = room.run(call(&sh("echo hi"), "")).await;
    let there = podman.containers();
    assert_eq!(output(ran).bytes, "hi\n");
    assert!(left.iter().all(|name| !there.contains(name)), "{there:?}");
    assert!(there.contains(&foreign), "another installation's is left alone");
    assert!(there.contains(&newer), "a newer server's is left alone");
    podman.podman(["rm", "--force", "--time", "0", "--volumes", &foreign, &newer]);
}

/// An answer that never came: the engine has a container that no run knows of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_run_knows_of_goes_with_the_next_sweeps_and_what_runs_stays() {
    let Some(podman) = podman() else { return };
    let mine = unique();
    let mut config = config(&podman.socket(), &mine, 1);
    config.sweep_every = Duration::from_millis(300);
    let room = room_of(config);
    room.runtime.look().await.expect("an engine");
    let version = sh("sleep 6; echo done");
    let nobodys = plant(podman, &mine, 1);
    let (ran, ()) = tokio::join!(room.run(call(&version, "")), async {
        eventually("it is gone", || !podman.containers().contains(&nobodys)).await;
    });
    assert_eq!(output(ran.0).bytes, "done\n", "many sweeps did it no harm");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_killed_in_the_middle_leaves_nothing_to_its_next_start() {
    let Some(podman) = podman() else { return };
    let mine = unique();
    let first = room_of(config(&podman.socket(), &mine, 1));
    let call = call(&sh("echo up; sleep 1000"), "");
    let tail = call.invocation.short();
    let is_there = || podman.containers().iter().any(|name| name.contains(&tail));
    // As a killed process does: nothing of the run is dropped.
    let run = std::mem::ManuallyDrop::new(Box::pin(async move { first.run(call).await }));
    let mut run = run;
    let ran = tokio::time::timeout(Duration::from_secs(5), run.as_mut()).await;
    assert!(ran.is_err(), "it should not end");
    eventually("it runs", is_there).await;
    let second = room_of(config(&podman.socket(), &mine, 2));
    second.runtime.look().await.expect("an engine");
    assert!(!is_there());
    assert!(!second.runtime.may_outlive());
}
