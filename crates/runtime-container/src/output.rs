//! What a container prints, from its first byte on: the engine is asked for it before the container is started.

use async_trait::async_trait;
use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::query_parameters::AttachContainerOptionsBuilder;
use bytes::Bytes;
use eventflow_domain::FunctionVersion;
use eventflow_domain::logs::Stream;
use eventflow_domain::ports::LogSink;
use eventflow_runtime_http::warm::{Lines, Observer, Output};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// From a print to our hearing of it, at most: the engine stands between.
const LAG: Duration = Duration::from_millis(200);

/// The output of one container.
pub(crate) struct Printed(BoxStream<'static, Result<LogOutput, Error>>);

impl Printed {
    /// Of a container that was not started yet.
    pub(crate) async fn attach(docker: &Docker, container: &str) -> Result<Self, Error> {
        let options =
            AttachContainerOptionsBuilder::new().stream(true).stdout(true).stderr(true).logs(false).build();
        let attached = docker.attach_container(container, Some(options)).await?;
        Ok(Self(attached.output))
    }

    /// Whether it ended as it should; `false` where the way to the engine broke.
    pub(crate) async fn drain(&mut self, mut take: impl FnMut(Stream, &Bytes)) -> bool {
        while let Some(piece) = self.0.next().await {
            match piece {
                Ok(LogOutput::StdErr { message }) => take(Stream::Stderr, &message),
                Ok(LogOutput::StdOut { message } | LogOutput::Console { message }) => {
                    take(Stream::Stdout, &message);
                }
                Ok(LogOutput::StdIn { .. }) => {}
                Err(_) => return false,
            }
            // One who prints faster than we read must not keep the task from its timeout.
            tokio::task::coop::consume_budget().await;
        }
        true
    }
}

/// The output of a warm copy.
pub(crate) struct Attached {
    lines: Lines,
    printed: tokio::sync::Mutex<Printed>,
    /// Cancelled: it prints no more.
    over: CancellationToken,
}

impl fmt::Debug for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attached").field("lines", &self.lines).finish_non_exhaustive()
    }
}

impl Attached {
    pub(crate) fn new(version: Arc<FunctionVersion>, observer: Arc<dyn Observer>, printed: Printed) -> Self {
        Self {
            lines: Lines::new(version, observer, LAG),
            printed: tokio::sync::Mutex::new(printed),
            over: CancellationToken::new(),
        }
    }

    pub(crate) fn over(&self) -> &CancellationToken {
        &self.over
    }
}

#[async_trait]
impl Output for Attached {
    async fn follow(&self) {
        let mut printed = self.printed.lock().await;
        printed.drain(|stream, bytes| self.lines.take(stream, bytes)).await;
        self.lines.finish(Stream::Stdout);
        self.lines.finish(Stream::Stderr);
        self.over.cancel();
    }

    fn attach(&self, call: u64, logs: Arc<dyn LogSink>) {
        self.lines.attach(call, logs);
    }

    fn detach(&self, call: u64) {
        self.lines.detach(call);
    }

    fn last_line(&self) -> String {
        self.lines.last_line()
    }
}
