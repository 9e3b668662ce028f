use eventflow_domain::ports::{Call, HttpRequest, HttpResponse, LogSink, Ran, Runtime as _, RuntimeReport};
use eventflow_domain::quantity::Cpu;
use eventflow_domain::spec::{FunctionSpec, Image, Mode, RuntimeKind, Scale};
use eventflow_domain::{Bytes, Failure, FunctionVersion, Readiness};
use eventflow_lifecycle::SystemClock;
use eventflow_runtime_container::{ContainerConfig, ContainerRuntime, Installation, Sockets};
use eventflow_runtime_http::warm::{CopyLine, Observer};
use eventflow_testkit::FunctionBuilder;
use eventflow_testkit::fakes::CapturedLogs;
use eventflow_testkit::servers::podman::Podman;
use futures::{StreamExt as _, TryStreamExt as _};
use parking_lot::Mutex;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// The engine of all tests that do nothing to it.
static PODMAN: LazyLock<Result<Podman, String>> = LazyLock::new(Podman::start);

/// The engine; `None` was said.
pub(crate) fn podman() -> Option<&'static Podman> {
    PODMAN.as_ref().map_err(|why| skipped(why)).ok()
}

pub(crate) fn skipped(why: &str) {
    // Past the capture of the test harness: it is to be counted.
    let _ = std::io::stderr().write_all(format!("SKIPPED: {why}\n").as_bytes());
}

/// What a runtime told.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    reports: Mutex<Vec<RuntimeReport>>,
    lines: Mutex<Vec<String>>,
}

impl Heard {
    pub(crate) fn lines(&self) -> Vec<String> {
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
        self.lines.lock().push(line.text.to_owned());
    }
}

/// A runtime, as one start of a server has it.
pub(crate) struct Room {
    pub(crate) runtime: Arc<ContainerRuntime>,
    pub(crate) heard: Arc<Heard>,
}

pub(crate) fn config(socket: &Path, id: &str, server: u64) -> ContainerConfig {
    let sockets = Sockets::parse(&socket.to_string_lossy()).expect("an address");
    let mut config = ContainerConfig::new(sockets, Installation { id: id.to_owned(), server });
    config.kill_grace = Duration::from_millis(200);
    config
}

pub(crate) fn room_of(config: ContainerConfig) -> Room {
    let heard = Arc::new(Heard::default());
    let (runtime, keeping) =
        ContainerRuntime::new(config, Arc::new(SystemClock::new()), Arc::clone(&heard) as Arc<dyn Observer>)
            .expect("a runtime");
    // It ends with the test's own executor.
    #[expect(clippy::disallowed_methods, reason = "a test has no supervisor")]
    drop(tokio::spawn(keeping));
    Room { runtime, heard }
}

/// A room on the engine of all tests, as an installation of its own.
pub(crate) async fn room() -> Option<Room> {
    let podman = podman()?;
    Some(room_on(config(&podman.socket(), &unique(), 1)).await)
}

/// A room that knows its engine, which on a busy machine takes its time.
pub(crate) async fn room_on(config: ContainerConfig) -> Room {
    let room = room_of(config);
    room.runtime.look().await.expect("an engine");
    room
}

/// A call with a deadline that a busy machine keeps.
pub(crate) fn call(version: &Arc<FunctionVersion>, payload: impl Into<Bytes>) -> Call {
    let call = eventflow_testkit::contract::runtime::call(version, payload);
    Call { start_deadline: Duration::from_mins(2), timeout: Duration::from_mins(1), ..call }
}

/// A name that nobody else has.
pub(crate) fn unique() -> String {
    eventflow_domain::FunctionUid::generate().to_string()
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

    pub(crate) async fn post(
        &self,
        version: &Arc<FunctionVersion>,
        path: &str,
        text: &str,
    ) -> Result<String, Failure> {
        let (response, _) = self.serve(call(version, ""), request("POST", path, text)).await;
        Ok(body(response?).await)
    }
}

pub(crate) fn request(method: &str, path: &str, body: &str) -> HttpRequest {
    let body = Bytes::from(body.to_owned());
    HttpRequest {
        method: method.parse().expect("a method"),
        uri: path.parse().expect("a path"),
        headers: ::http::HeaderMap::new(),
        body: futures::stream::iter((!body.is_empty()).then_some(Ok(body))).boxed(),
        upgrade: false,
    }
}

pub(crate) async fn body(response: HttpResponse) -> String {
    let pieces: Vec<Bytes> = response.body.try_collect().await.expect("a whole body");
    String::from_utf8(pieces.concat()).expect("UTF-8")
}

/// A function whose container runs a shell script.
pub(crate) fn sh(script: &str) -> Arc<FunctionVersion> {
    sh_with(script, |_| {})
}

pub(crate) fn sh_with(script: &str, change: impl FnOnce(&mut FunctionSpec)) -> Arc<FunctionVersion> {
    FunctionBuilder::new("job")
        .command(["sh", "-c", script])
        .with(|spec| {
            spec.runtime = RuntimeKind::Container;
            spec.image = Some(Image::Oci(Podman::IMAGE.to_owned()));
            spec.resources.cpu = Cpu(1000);
            change(spec);
        })
        .version()
}

/// A function that serves what is below `/www`, once it has done what `before` says.
pub(crate) fn server(before: &str, change: impl FnOnce(&mut FunctionSpec)) -> Arc<FunctionVersion> {
    let script = format!(
        "{before}\necho starting\ntrap 'kill $!; echo bye; exit 3' TERM\nhttpd -f -p $PORT -h /www &\nwait"
    );
    sh_with(&script, |spec| {
        spec.mode = Mode::Http;
        spec.port = Some(8080);
        spec.scale = Scale::Auto { min: 0, max: 2, concurrency: 1, cpu: None };
        change(spec);
    })
}

/// Waits until something holds, for at most a minute: an engine on a busy machine is slow.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "did not happen within a minute: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
