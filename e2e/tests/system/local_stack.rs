//! `make up-local` and `make down-local`: the cluster's shape as plain processes.

use eventflow_e2e::shape::only_cluster;
use eventflow_e2e::support::ECHO_WAT;
use eventflow_e2e::wait::{SOON, until};
use eventflow_e2e::{Answer, Rest, root};
use eventflow_testkit::servers::free_port;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const PARTS: [&str; 7] = ["postgres", "nats", "dispatcher-1", "dispatcher-2", "api-1", "api-2", "gateway"];

/// A stack in a folder of its own, ended on drop.
struct Stack {
    folder: TempDir,
    port: u16,
}

impl Stack {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("eventflow-stack-").tempdir().unwrap();
        // PostgreSQL runs as a user of its own where this is root.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder, port: free_port() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, verb: &str) -> Output {
        Command::new(root().join("scripts/local-stack.sh"))
            .arg(verb)
            .env("EVENTFLOW_STACK", self.folder.path())
            .env("EVENTFLOW_LISTEN", format!("127.0.0.1:{}", self.port))
            .env("EVENTFLOW_BINARIES", eventflow_e2e::binary().parent().unwrap())
            .output()
            .unwrap()
    }

    fn up(&self) {
        let up = self.run("up");
        assert!(up.status.success(), "{up:?}");
    }

    fn pid(&self, part: &str) -> Pid {
        let text = fs::read_to_string(self.path(&format!("{part}.pid"))).unwrap();
        Pid::from_raw(text.split(' ').next().unwrap().parse().unwrap()).unwrap()
    }

    async fn rest(&self) -> Rest {
        Rest::new(&format!("http://127.0.0.1:{}", self.port)).login("admin", "admin").await
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        drop(self.run("down"));
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn the_local_stack_starts_heals_and_ends_and_keeps_its_data() {
    if !only_cluster("it starts the services") {
        return;
    }
    let stack = Stack::new();
    stack.up();
    for secret in ["key", "postgres.password", "postgres/superuser", "nats.password", "nats.conf"] {
        assert_eq!(mode(&stack.path(secret)), 0o600, "{secret}");
    }
    let rest = stack.rest().await;
    let code = rest.request("POST", "/v1/artifacts").header("content-type", "application/octet-stream");
    let stored = code.body(ECHO_WAT).send().await.json();
    let image = format!("artifact@{}", stored["digest"].as_str().expect("a digest"));
    rest.apply(&json!({"name": "echo", "runtime": "wasm", "image": image})).await;
    let echoed =
        |answer: Answer| assert_eq!((answer.status, answer.text().as_str()), (200, "hi"), "{answer:?}");
    echoed(rest.invoke("echo", "hi").await);
    let id = rest.invoke_async("echo", "hi").await;
    assert_eq!(rest.ended(&id).await["state"], "SUCCEEDED");

    // A part that died is started again, and the others stay.
    let before = PARTS.map(|part| stack.pid(part));
    assert_eq!(stack.run("status").status.code(), Some(0));
    kill_process(before[2], Signal::KILL).unwrap();
    let status = until("the end of a dispatcher", SOON, async || {
        Some(stack.run("status")).filter(|status| status.status.code() == Some(3))
    });
    assert!(String::from_utf8_lossy(&status.await.stdout).contains("dispatcher-1 does not run"));
    stack.up();
    let after = PARTS.map(|part| stack.pid(part));
    let replaced: Vec<_> = PARTS.iter().zip(before.iter().zip(after)).filter(|(_, (a, b))| *a != b).collect();
    assert_eq!(replaced.len(), 1, "{replaced:?}");

    let down = stack.run("down");
    assert!(down.status.success(), "{down:?}");
    for (part, pid) in PARTS.iter().zip(after) {
        // One that has ended, but was not waited for yet, is still listed.
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(") Z "), "{part} still runs: {stat}");
        assert!(!stack.path(&format!("{part}.pid")).exists(), "{part}");
    }
    assert_eq!(stack.run("status").status.code(), Some(3));
    assert!(stack.run("down").status.success(), "to end what does not run is fine");

    stack.up();
    let rest = stack.rest().await;
    assert_eq!(rest.record(&id).await["state"], "SUCCEEDED", "the record is kept");
    echoed(rest.invoke("echo", "hi").await);
}
