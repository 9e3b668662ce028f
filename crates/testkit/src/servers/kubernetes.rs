//! The control plane of a real Kubernetes: etcd and the API server, with controllers where they are wanted. See
//! `e2e/cluster`, whose script does the work.

use super::Signal;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::sync::OnceCell;
use tokio::time::timeout;

/// How long a start may take, on a machine that is busy with other things.
const START: Duration = Duration::from_secs(150);

/// What runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// etcd and the API server: objects are stored, validated, watched; nothing acts on them. 3 s.
    Api,
    /// And the controller manager and the scheduler: owners are followed, Deployments make pods, which stay pending. 5 s.
    Control,
}

/// A part that can be killed, paused, kept down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Etcd,
    ApiServer,
    ControllerManager,
    Scheduler,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "apiserver",
            Self::ControllerManager => "controller-manager",
            Self::Scheduler => "scheduler",
        }
    }
}

/// One control plane on free loopback ports, in a temporary folder; it ends with this value or with the test process,
/// however that one ends. It needs no privileges.
#[derive(Debug)]
pub struct Kubernetes {
    /// Its standard input is ours alone: at its end it ends everything, and removes the folder.
    holder: Child,
    folder: PathBuf,
}

impl Kubernetes {
    /// # Panics
    /// Where it does not come up, with the reason: its binary is built once by `e2e/cluster/cluster.sh build`, and that
    /// it is missing is a failure, not a skip.
    #[expect(clippy::panic, reason = "this is test code in a library")]
    pub async fn start(mode: Mode) -> Self {
        let folder = new_folder();
        let mode = if mode == Mode::Api { "api" } else { "control" };
        let mut holder = script(&folder)
            .args(["hold", mode])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the script of the cluster runs");
        let out = holder.stdout.take().expect("a pipe");
        let mut out = BufReader::new(tokio::process::ChildStdout::from_std(out).expect("a pipe"));
        let mut line = String::new();
        let read = timeout(START, out.read_line(&mut line)).await;
        if matches!(read, Ok(Ok(_))) && line.starts_with("ready ") {
            return Self { holder, folder };
        }
        drop(holder.stdin.take());
        let output = holder.wait_with_output().expect("the script of the cluster ends");
        panic!("no Kubernetes API server: {}", String::from_utf8_lossy(&output.stderr))
    }

    /// Whether its program was built on this machine.
    pub fn is_built() -> bool {
        let output = script(&std::env::temp_dir()).arg("built").output();
        output.is_ok_and(|output| output.status.success())
    }

    /// One for all tests of this process; each takes a namespace of its own.
    pub async fn shared(mode: Mode) -> &'static Self {
        static API: OnceCell<Kubernetes> = OnceCell::const_new();
        static CONTROL: OnceCell<Kubernetes> = OnceCell::const_new();
        let cell = if mode == Mode::Api { &API } else { &CONTROL };
        cell.get_or_init(|| Self::start(mode)).await
    }

    /// The file that lets a client in as an administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("admin.kubeconfig")
    }

    /// Runs kubectl to its end, `input` on its standard input.
    pub async fn kubectl(&self, args: &[&str], input: &str) -> Output {
        let mut child = tokio::process::Command::new(self.folder.join("bin/kubectl"))
            .args(args)
            .env("KUBECONFIG", self.kubeconfig())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("kubectl runs");
        let mut stdin = child.stdin.take().expect("a pipe");
        // It may end before it has read everything.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        child.wait_with_output().await.expect("kubectl ends")
    }

    /// Applies a manifest.
    ///
    /// # Panics
    /// With the server's words where it is refused.
    pub async fn apply(&self, manifest: &str) {
        let output = self.kubectl(&["apply", "--server-side", "-f", "-"], manifest).await;
        assert!(output.status.success(), "refused: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A killed part comes back by itself within half a second, with what it had stored.
    pub fn signal(&self, part: Part, signal: Signal) {
        let pid = self.run(&["pid", part.name()]);
        let kill = Command::new("kill").arg(format!("-{}", signal.name())).arg(pid.trim()).output();
        kill.expect("kill runs");
    }

    /// Kills it, and keeps it down until [`Self::let_up`].
    pub fn keep_down(&self, part: Part) {
        self.run(&["stop", part.name()]);
    }

    pub fn let_up(&self, part: Part) {
        self.run(&["start", part.name()]);
    }

    /// Whether its process is there.
    pub fn is_up(&self, part: Part) -> bool {
        let output = script(&self.folder).args(["pid", part.name()]).output();
        output.expect("the script of the cluster runs").status.success()
    }

    /// The last lines of a part's log.
    pub fn log(&self, part: Part) -> String {
        let text = std::fs::read_to_string(self.folder.join("log").join(format!("{}.log", part.name())));
        let text = text.unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(40).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    fn run(&self, args: &[&str]) -> String {
        let output = script(&self.folder).args(args).output().expect("the script of the cluster runs");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Kubernetes {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        // It kills, and waits for the ends of what it killed.
        let _ = self.holder.wait();
    }
}

fn script(folder: &Path) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../e2e/cluster/cluster.sh");
    let mut command = Command::new(script);
    command.env("EVENTFLOW_CLUSTER", folder);
    command
}

fn new_folder() -> PathBuf {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("eventflow-kube-{}-{number}", std::process::id()))
}
