//! What warm copies do on their own account: state goes to the registry, lines between calls to whoever listens.

use eventflow_domain::error::Chain;
use eventflow_domain::logs::{FunctionLogLine, LogLine, LogPosition};
use eventflow_domain::ports::{Bus, Clock, FunctionRegistry, Live, RuntimeReport};
use eventflow_lifecycle::{Handle, OnExit};
use eventflow_runtime_process::{CopyLine, Observer};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Reports that may wait for the registry; one more is dropped, since the next says how it stands then.
const WAITING: usize = 1024;

#[derive(Debug)]
pub struct Copies {
    reports: mpsc::Sender<RuntimeReport>,
    bus: Arc<dyn Bus>,
    clock: Arc<dyn Clock>,
}

impl Copies {
    pub fn start(
        registry: Arc<dyn FunctionRegistry>,
        bus: Arc<dyn Bus>,
        clock: Arc<dyn Clock>,
        handle: &Handle,
    ) -> Arc<Self> {
        let (reports, mut waiting) = mpsc::channel::<RuntimeReport>(WAITING);
        let token = handle.token();
        handle.spawn("warm copies", OnExit::Shutdown, async move {
            loop {
                let report = tokio::select! {
                    report = waiting.recv() => report,
                    () = token.cancelled() => return,
                };
                let Some(report) = report else {
                    // No runtime of this process has warm copies.
                    token.cancelled().await;
                    return;
                };
                if let Err(error) = registry.report(report.uid, report.version, report.readiness).await {
                    tracing::warn!(error = %Chain(&error), "a report of a warm copy was not kept");
                }
            }
        });
        Arc::new(Self { reports, bus, clock })
    }
}

impl Observer for Copies {
    fn report(&self, report: RuntimeReport) {
        if self.reports.try_send(report).is_err() {
            tracing::warn!("too many reports of warm copies, one was dropped");
        }
    }

    fn line(&self, line: CopyLine<'_>) {
        let captured = LogLine {
            position: LogPosition::default(),
            stream: line.stream,
            time: self.clock.now(),
            text: line.text.into(),
        };
        let lines = vec![FunctionLogLine { invocation: None, approximate: line.calls > 0, line: captured }];
        self.bus.announce(Live::LogLines { function: line.function.clone(), lines });
    }
}

/// Hears nothing: where no copy is ever started.
#[derive(Debug)]
pub struct Nobody;

impl Observer for Nobody {
    fn report(&self, _: RuntimeReport) {}

    fn line(&self, _: CopyLine<'_>) {}
}
