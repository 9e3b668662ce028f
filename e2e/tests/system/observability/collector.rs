//! A real OpenTelemetry Collector, `e2e/collector`, that writes what it gets to a file.

use super::trace::Trace;
use eventflow_e2e::wait::{SOON, until};
use eventflow_testkit::servers::{Guarded, free_port, program};
use std::fs;
use std::path::{Path, PathBuf};
use tokio::net::TcpStream;

/// Ended with the test, and its folder with it.
#[derive(Debug)]
pub(super) struct Collector {
    _server: Guarded,
    folder: PathBuf,
    port: u16,
}

impl Collector {
    pub(super) async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("eventflow-otel-").tempdir().unwrap().keep();
        let (port, config, log) = (free_port(), folder.join("config.yaml"), folder.join("log"));
        fs::write(&config, configuration(port, &folder.join("spans.json"))).unwrap();
        let args = [Path::new("--config"), &config];
        let server = Guarded::start(&program("otel-collector", &[]), args, &log, Some(&folder)).unwrap();
        until("the collector", SOON, async || {
            let said = fs::read_to_string(&log).unwrap_or_default();
            assert!(server.is_alive() || said.is_empty(), "the collector ended: {said}");
            TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await;
        Self { _server: server, folder, port }
    }

    /// What `telemetry.otlp_endpoint` is set to.
    pub(super) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What came so far of a trace.
    pub(super) fn trace(&self, id: &str) -> Trace {
        let text = fs::read_to_string(self.folder.join("spans.json")).unwrap_or_default();
        // The last line may be half written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        Trace::read(id, whole.lines().map(|line| serde_json::from_str(line).unwrap()))
    }
}

fn configuration(port: u16, file: &Path) -> String {
    format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{port}'}}}}}}}}\n\
         exporters: {{file: {{path: '{}'}}}}\n\
         service:\n  telemetry: {{metrics: {{level: none}}}}\n  \
         pipelines: {{traces: {{receivers: [otlp], exporters: [file]}}}}\n",
        file.display()
    )
}
