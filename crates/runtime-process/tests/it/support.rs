use eventflow_domain::logs::Stream;
use eventflow_domain::ports::{Call, HttpRequest, HttpResponse, LogSink, Ran, Runtime as _, RuntimeReport};
use eventflow_domain::spec::{FunctionSpec, Mode, Scale};
use eventflow_domain::{Bytes, Failure, FunctionVersion, Readiness};
use eventflow_lifecycle::SystemClock;
use eventflow_runtime_process::{CopyLine, Launcher, Observer, ProcessConfig, ProcessRuntime};
use eventflow_testkit::FunctionBuilder;
use eventflow_testkit::contract::runtime::call;
use eventflow_testkit::fakes::CapturedLogs;
use futures::{StreamExt as _, TryStreamExt as _};
use parking_lot::Mutex;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What a runtime told.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    reports: Mutex<Vec<RuntimeReport>>,
    lines: Mutex<Vec<(Stream, String, usize)>>,
}

impl Heard {
    pub(crate) fn lines(&self) -> Vec<(Stream, String, usize)> {
        self.lines.lock().clone()
    }

    pub(crate) fn last(&self) -> Option<Readiness> {
        self.reports.lock().last().map(|report| report.readiness.clone())
    }
}

impl Observer for Heard {
    fn report(&self, report: RuntimeReport) {
        self.reports.lock().push(report);
    }

    fn line(&self, line: CopyLine<'_>) {
        self.lines.lock().push((line.stream, line.text.to_owned(), line.calls));
    }
}

/// A runtime in a folder of its own.
pub(crate) struct Room {
    pub(crate) runtime: Arc<ProcessRuntime>,
    pub(crate) heard: Arc<Heard>,
    pub(crate) folder: tempfile::TempDir,
}

pub(crate) fn config(folder: &Path) -> ProcessConfig {
    let mut config =
        ProcessConfig::new(Launcher::new(env!("CARGO_BIN_EXE_eventflow-exec-child")), folder.join("work"));
    config.base_env = ProcessConfig::base_env(std::env::vars_os());
    config.kill_grace = Duration::from_millis(500);
    config
}

pub(crate) fn room() -> Room {
    room_with(|_| {})
}

pub(crate) fn room_with(change: impl FnOnce(&mut ProcessConfig)) -> Room {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = config(folder.path());
    change(&mut config);
    let heard = Arc::new(Heard::default());
    let runtime = ProcessRuntime::with_observer(
        config,
        Arc::new(SystemClock::new()),
        Arc::clone(&heard) as Arc<dyn Observer>,
    )
    .expect("a runtime");
    Room { runtime: Arc::new(runtime), heard, folder }
}

impl Room {
    pub(crate) async fn run(&self, call: Call) -> (Ran, Arc<CapturedLogs>) {
        let logs = Arc::new(CapturedLogs::default());
        let ran = self.runtime.run(call, Arc::clone(&logs) as Arc<dyn LogSink>).await;
        (ran, logs)
    }

    pub(crate) async fn sh(&self, script: &str) -> (Ran, Arc<CapturedLogs>) {
        self.run(call(&sh(script), "")).await
    }

    pub(crate) async fn serve(
        &self,
        call: Call,
        request: HttpRequest,
    ) -> (Result<HttpResponse, Failure>, Arc<CapturedLogs>) {
        let logs = Arc::new(CapturedLogs::default());
        let response = self.runtime.serve(call, request, Arc::clone(&logs) as Arc<dyn LogSink>).await;
        (response, logs)
    }

    /// The body of the answer to `GET path`.
    pub(crate) async fn get(&self, version: &Arc<FunctionVersion>, path: &str) -> Result<String, Failure> {
        let (response, _) = self.serve(call(version, ""), request("GET", path, "")).await;
        Ok(body(response?).await)
    }

    pub(crate) fn scratch_folders(&self) -> usize {
        fs::read_dir(self.folder.path().join("work/scratch")).expect("a folder").count()
    }

    pub(crate) fn records(&self) -> usize {
        fs::read_dir(self.folder.path().join("work/children")).expect("a folder").count()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

pub(crate) fn request(method: &str, path: &str, body: &str) -> HttpRequest {
    let body = Bytes::from(body.to_owned());
    HttpRequest {
        method: method.parse().expect("a method"),
        uri: path.parse().expect("a path"),
        headers: http::HeaderMap::new(),
        body: futures::stream::iter((!body.is_empty()).then_some(Ok(body))).boxed(),
        upgrade: false,
    }
}

pub(crate) async fn body(response: HttpResponse) -> String {
    let pieces: Vec<Bytes> = response.body.try_collect().await.expect("a whole body");
    String::from_utf8(pieces.concat()).expect("UTF-8")
}

/// A job that runs a shell script.
pub(crate) fn sh(script: &str) -> Arc<FunctionVersion> {
    sh_with(script, |_| {})
}

pub(crate) fn sh_with(script: &str, change: impl FnOnce(&mut FunctionSpec)) -> Arc<FunctionVersion> {
    FunctionBuilder::new("job").command(["sh", "-c", script]).with(change).version()
}

/// A Python program that serves; `scale` is said by the test.
pub(crate) fn server(source: &str, scale: Scale) -> Arc<FunctionVersion> {
    FunctionBuilder::new("server")
        .command(["python3", "-u", "-c", source])
        .with(|spec| {
            spec.mode = Mode::Http;
            spec.scale = scale;
        })
        .version()
}

pub(crate) fn on_demand(max: u32, concurrency: u32) -> Scale {
    Scale::Auto { min: 0, max, concurrency, cpu: None }
}

/// Whether a process runs; a zombie does not.
pub(crate) fn runs(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

/// Waits until something holds, for at most 5 seconds.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("did not happen within 5 s: {what}");
}

/// The pids that a script wrote into a file, one to a line.
pub(crate) async fn pids(file: &Path, count: usize) -> Vec<i32> {
    let read = || -> Vec<i32> {
        let text = fs::read_to_string(file).unwrap_or_default();
        if text.ends_with('\n') {
            text.lines().filter_map(|line| line.trim().parse().ok()).collect()
        } else {
            Vec::new()
        }
    };
    eventually("the script says its pids", || read().len() >= count).await;
    read()
}
