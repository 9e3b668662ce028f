//! One EventFlow of a test's own: `eventflow dev`, or with `EVENTFLOW_SHAPE=cluster` the services over real servers.

use crate::rest::Rest;
use crate::shape::{Behind, Cluster, Shape};
use crate::wait::{self, SOON};
use crate::{Cli, Grpc};
use eventflow_testkit::servers::free_port;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::oneshot;

const READY: &str = " is ready on ";

/// How a server is started.
#[derive(Debug, Clone)]
pub struct Options {
    behind: Behind,
    settings: Vec<String>,
    env: Vec<(String, String)>,
    args: Vec<String>,
    data: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        let behind = Behind { own_postgres: false, apis: 2, dispatchers: 2 };
        Self { behind, settings: Vec::new(), env: Vec::new(), args: Vec::new(), data: None }
    }
}

impl Options {
    /// In the cluster shape: a database server of its own, to do harm to.
    #[must_use]
    pub fn own_postgres(mut self) -> Self {
        self.behind.own_postgres = true;
        self
    }

    /// In the cluster shape: so many apis.
    #[must_use]
    pub fn apis(mut self, count: usize) -> Self {
        self.behind.apis = count;
        self
    }

    /// In the cluster shape: so many dispatchers.
    #[must_use]
    pub fn dispatchers(mut self, count: usize) -> Self {
        self.behind.dispatchers = count;
        self
    }

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
        let cluster = match Shape::wanted() {
            Shape::Local => None,
            Shape::Cluster => Some(Cluster::start(&data, self.behind).await),
        };
        let mut server =
            Server { folder, data, log, options: self, running: Vec::new(), port: free_port(), cluster };
        server.launch().await;
        server
    }
}

/// A running EventFlow; ended with its whole process groups on drop. What it said is printed where a test fails.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    data: PathBuf,
    log: PathBuf,
    options: Options,
    /// `eventflow dev`; or dispatchers, apis and the gateway, which is the one that is asked.
    running: Vec<Child>,
    port: u16,
    cluster: Option<Cluster>,
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

    /// The id of the process that runs functions, which is also that of its group. Panics where it does not run.
    pub fn pid(&self) -> u32 {
        self.running.first().expect("the server runs").id()
    }

    /// The ids of all of its processes.
    pub fn pids(&self) -> Vec<u32> {
        self.running.iter().map(Child::id).collect()
    }

    /// The id of the process that is asked.
    pub fn front_pid(&self) -> u32 {
        self.running.last().expect("the server runs").id()
    }

    /// Where the process that runs functions tells its metrics.
    pub fn monitored(&self) -> Rest {
        let port = self.cluster.as_ref().map_or(self.port, Cluster::admin_port);
        Rest::new(&format!("http://127.0.0.1:{port}"))
    }

    /// One of the apis, past the gateway, in the cluster shape; else the process that is asked. Without a token.
    pub fn api(&self, number: usize) -> Rest {
        let port = self.cluster.as_ref().map_or(self.port, |cluster| cluster.api_port(number));
        Rest::new(&format!("http://127.0.0.1:{port}"))
    }

    /// The number of an api among the processes of the cluster shape, for [`Server::signal_one`].
    pub fn api_number(&self, number: usize) -> usize {
        self.cluster.as_ref().expect("the cluster shape").sizes().1 + number
    }

    /// What stands behind it in the cluster shape.
    pub fn cluster(&mut self) -> &mut Cluster {
        self.cluster.as_mut().expect("the cluster shape")
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
        assert!(!self.running.is_empty(), "the server runs");
        for process in &self.running {
            kill_process(pid(process.id()), signal).unwrap();
        }
    }

    /// A signal to one process alone: the dispatchers first, then the apis, the gateway last.
    pub fn signal_one(&self, number: usize, signal: Signal) {
        kill_process(pid(self.running[number].id()), signal).unwrap();
    }

    /// Waits for its end; where there are several processes, the end that was not clean counts.
    pub async fn exited(&mut self, bound: Duration) -> ExitStatus {
        let mut worst: Option<ExitStatus> = None;
        for process in &mut self.running {
            let ended = wait::until("the server's end", bound, async || process.try_wait().unwrap()).await;
            worst = worst.filter(|status| !status.success()).or(Some(ended));
        }
        self.running.clear();
        worst.expect("the server runs")
    }

    /// Starts it again on the same data and the same port; it must not be running.
    pub async fn restart(&mut self) {
        assert!(self.running.is_empty(), "the server still runs");
        self.launch().await;
    }

    /// Starts it and kills it `after` that, while it picks up what the last one left. It must not be running.
    pub async fn doomed_start(&mut self, after: Duration) {
        assert!(self.running.is_empty(), "the server still runs");
        for command in self.commands() {
            let mut command = self.environment(command);
            let child = command.stdout(Stdio::null()).spawn();
            self.running.push(child.unwrap());
        }
        tokio::time::sleep(after).await;
        self.kill().await;
    }

    fn commands(&self) -> Vec<Command> {
        match &self.cluster {
            None => vec![self.dev()],
            Some(cluster) => cluster.commands(&self.options.settings, self.port, &self.data),
        }
    }

    async fn launch(&mut self) {
        for command in self.commands() {
            // The last one is the one that is asked.
            self.port = self.start_process(command).await;
        }
    }

    /// Starts a process and returns the port that it says it serves on.
    async fn start_process(&mut self, command: Command) -> u16 {
        let mut child = self.environment(command).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        self.running.push(child);
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
        port
    }

    fn dev(&self) -> Command {
        let mut command = guarded(&crate::binary());
        command
            .args(["dev", "--no-examples", "--listen", &format!("127.0.0.1:{}", self.port), "--data"])
            .arg(&self.data);
        command.args(&self.options.args);
        for setting in &self.options.settings {
            command.args(["--set", setting]);
        }
        command
    }

    fn environment(&self, mut command: Command) -> Command {
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        crate::cli::clean(&mut command, self.folder.path());
        command.envs(self.options.env.iter().map(|(key, value)| (key, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).process_group(0);
        command
    }
}

/// Where the test itself is killed, the server shall not outlive it.
pub(crate) fn guarded(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

impl Drop for Server {
    fn drop(&mut self) {
        for mut child in self.running.drain(..) {
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
    line.split_once(READY)?.1.rsplit(':').next()?.parse().ok()
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(id.cast_signed()).unwrap()
}
