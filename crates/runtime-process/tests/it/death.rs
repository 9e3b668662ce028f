//! However the server dies, nothing of what it started stays.

use crate::support::{config, eventually, pids, runs, server, sh};
use eventflow_domain::ports::{LogSink, Runtime as _};
use eventflow_domain::spec::Scale;
use eventflow_lifecycle::SystemClock;
use eventflow_runtime_process::ProcessRuntime;
use eventflow_testkit::contract::runtime::call;
use eventflow_testkit::fakes::CapturedLogs;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

const FOLDER: &str = "RUNTIME_HOST_FOLDER";

/// Not a test: the server that the tests below kill, in a process of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by other tests"]
async fn host_of_a_runtime() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let runtime =
        Arc::new(ProcessRuntime::new(config(&folder), Arc::new(SystemClock::new())).expect("a runtime"));
    let file = folder.join("pids");
    let file = file.display();
    // A command with a child, one that left the session, and one that ignores SIGTERM.
    let script = format!(
        "trap '' TERM; sleep 100 & echo $! >> {file}; setsid sleep 100 & echo $! >> {file}; \
         (setsid sleep 100 & echo $! >> {file}); echo $$ >> {file}; while :; do sleep 1; done"
    );
    let warm =
        format!("import os, time\nopen('{file}', 'a').write(f'{{os.getpid()}}\\n')\n{}", crate::http::ECHO);
    runtime.prepare(&server(&warm, Scale::Fixed(1))).await;
    runtime.run(call(&sh(&script), ""), Arc::new(CapturedLogs::default()) as Arc<dyn LogSink>).await;
}

/// Killed at the end of a test that failed, too.
struct Host(Child);

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn host(folder: &Path) -> Host {
    let host = Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", "death::host_of_a_runtime", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    Host(host)
}

fn is_empty(folder: PathBuf) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

#[tokio::test]
async fn sigkill_of_the_server_leaves_neither_child_nor_grandchild() {
    let folder = tempfile::tempdir().expect("a folder");
    let host = host(folder.path());
    let pids = pids(&folder.path().join("pids"), 5).await;
    assert!(pids.iter().all(|pid| runs(*pid)), "all should run: {pids:?}");
    drop(host);
    eventually("all processes are gone", || !pids.iter().any(|pid| runs(*pid))).await;
    eventually("folders and records are gone", || {
        is_empty(folder.path().join("work/scratch")) && is_empty(folder.path().join("work/children"))
    })
    .await;
}

#[tokio::test]
async fn what_outlived_server_and_launcher_is_ended_at_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let records = folder.path().join("work/children");
    fs::create_dir_all(&records).expect("a folder");
    let mut orphan = Command::new("sleep").arg("100").spawn().expect("starts");
    let mut neighbour = Command::new("sleep").arg("100").spawn().expect("starts");
    let note = |child: &Child, shift: u64| {
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("runs");
        let start: u64 = stat
            .rsplit_once(") ")
            .expect("a stat")
            .1
            .split(' ')
            .nth(19)
            .expect("a field")
            .parse()
            .expect("a number");
        let record = format!("[null, {{\"pid\": {}, \"start_time\": {}}}]", child.id(), start + shift);
        fs::write(records.join(child.id().to_string()), record).expect("is written");
    };
    note(&orphan, 0);
    note(&neighbour, 1);
    fs::write(records.join("torn"), "[nu").expect("is written");
    fs::create_dir_all(folder.path().join("work/scratch/left")).expect("a folder");

    ProcessRuntime::new(config(folder.path()), Arc::new(SystemClock::new())).expect("a runtime");
    assert!(!orphan.wait().expect("is gone").success(), "the process of the record is ended");
    assert!(neighbour.try_wait().expect("is ours").is_none(), "one that only has its pid is not touched");
    assert!(is_empty(records) && is_empty(folder.path().join("work/scratch")));
    neighbour.kill().expect("is killed");
    neighbour.wait().expect("is gone");
}

#[test]
fn a_grace_that_breaks_the_promise_of_5_seconds_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = config(folder.path());
    config.kill_grace = Duration::from_secs(5);
    assert!(ProcessRuntime::new(config, Arc::new(SystemClock::new())).is_err());
}
