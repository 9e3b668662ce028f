//! One `eventflow dev` of a test's own.

use crate::rest::Rest;
use crate::wait::{self, SOON};
use crate::{Cli, Grpc};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::oneshot;

const READY: &str = "eventflow is ready on ";

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    settings: Vec<String>,
    env: Vec<(String, String)>,
    args: Vec<String>,
    data: Option<PathBuf>,
}

impl Options {
    /// `--set KEY=VALUE`.
    #[must_use]
    pub fn set(mut self, setting: &str) -> Self {
        self.settings.push(setting.to_owned());
        self
    }

    /// A variable of the server's environment.
    #[must_use]
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.env.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Another argument of `eventflow dev`.
    #[must_use]
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// Keep data in this folder instead of one of the server's own.
    #[must_use]
    pub fn data(mut self, data: &Path) -> Self {
        self.data = Some(data.to_owned());
        self
    }

    /// Starts it and waits until it is ready.
    pub async fn start(self) -> Server {
        let folder = tempfile::Builder::new().prefix("eventflow-e2e-").tempdir().unwrap();
        let data = self.data.clone().unwrap_or_else(|| folder.path().join("data"));
        let log = folder.path().join("stderr.txt");
        let mut server = Server { folder, data, log, options: self, running: None, port: 0 };
        server.launch().await;
        server
    }
}

/// A running `eventflow dev`; ended with its whole process group on drop. What it said is printed where a test fails.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    data: PathBuf,
    log: PathBuf,
    options: Options,
    running: Option<Child>,
    port: u16,
}

impl Server {
    /// On a free port, with data in a temporary folder.
    pub async fn start() -> Self {
        Self::options().start().await
    }

    pub fn options() -> Options {
        Options::default()
    }

    /// `http://127.0.0.1:PORT`; the same after a restart.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A folder for files of the test, removed with the server.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The process id, which is also that of its group. Panics where it does not run.
    pub fn pid(&self) -> u32 {
        self.running.as_ref().expect("the server runs").id()
    }

    /// What it wrote to stderr so far, over all its lives.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// A REST client without a token.
    pub fn anonymous(&self) -> Rest {
        Rest::new(&self.url())
    }

    /// A REST client logged in as admin.
    pub async fn rest(&self) -> Rest {
        self.anonymous().login("admin", "admin").await
    }

    /// A gRPC client logged in as admin.
    pub async fn grpc(&self) -> Grpc {
        let token = self.rest().await.token().map(str::to_owned);
        Grpc::connect(&self.url(), token).await
    }

    /// A CLI of its own home folder, logged in as admin.
    pub async fn cli(&self) -> Cli {
        let cli = Cli::new(&self.url());
        let login = cli.run(&["login"]).await;
        assert_eq!(login.code, 0, "login failed: {login:?}");
        cli
    }

    /// SIGKILL to the server alone (its children learn of it by themselves); returns when it is gone.
    pub async fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.exited(SOON).await;
    }

    /// SIGTERM; returns how it ended.
    pub async fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.exited(Duration::from_secs(40)).await
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(pid(self.pid()), signal).unwrap();
    }

    /// Waits for its end.
    pub async fn exited(&mut self, bound: Duration) -> ExitStatus {
        let mut child = self.running.take().expect("the server runs");
        let ended = wait::until("the server's end", bound, async || child.try_wait().unwrap());
        let status = ended.await;
        self.running = None;
        status
    }

    /// Starts it again on the same data and the same port; it must not be running.
    pub async fn restart(&mut self) {
        assert!(self.running.is_none(), "the server still runs");
        self.launch().await;
    }

    async fn launch(&mut self) {
        let mut child = self.command().spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        self.running = Some(child);
        let (said, line) = oneshot::channel();
        // A thread and not a task: the pipe is read to its end, so that the server never writes to a closed one.
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines();
            drop(said.send(lines.next().and_then(Result::ok)));
            lines.for_each(drop);
        });
        let line = tokio::time::timeout(SOON, line).await.ok().and_then(Result::ok).flatten();
        let Some(port) = line.as_deref().and_then(port_of) else {
            panic!("no ready line within {SOON:?} but {line:?}; stderr:\n{}", self.stderr());
        };
        self.port = port;
    }

    fn command(&self) -> Command {
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        // Where the test itself is killed, the server shall not outlive it.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(crate::binary());
        command
            .args(["dev", "--no-examples", "--listen", &format!("127.0.0.1:{}", self.port), "--data"])
            .arg(&self.data);
        command.args(&self.options.args);
        for setting in &self.options.settings {
            command.args(["--set", setting]);
        }
        crate::cli::clean(&mut command, self.folder.path());
        command.envs(self.options.env.iter().map(|(key, value)| (key, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).process_group(0);
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.running.take() {
            let group = pid(child.id());
            let _gone_already = kill_process_group(group, Signal::KILL);
            drop(child.wait());
        }
        if std::thread::panicking() {
            let said = self.stderr();
            let lines: Vec<_> = said.lines().collect();
            let last = lines.get(lines.len().saturating_sub(60)..).unwrap_or_default();
            eprintln!("-- the server's last words:\n{}", last.join("\n"));
        }
    }
}

fn port_of(line: &str) -> Option<u16> {
    line.strip_prefix(READY)?.rsplit(':').next()?.parse().ok()
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(id.cast_signed()).unwrap()
}
