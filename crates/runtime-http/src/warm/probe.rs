//! Whether a copy serves by now.

use super::life::explain;
use super::start::Output;
use crate::connections::{Body, Connections};
use eventflow_domain::FunctionVersion;
use eventflow_domain::invocation::{Failure, Reason};
use eventflow_domain::quantity::format_duration;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_millis(200);
const ANSWER: Duration = Duration::from_secs(2);

/// How a copy is asked.
#[derive(Debug)]
pub struct Probe<'a> {
    pub connections: &'a Connections,
    /// None: it serves when it takes a connection.
    pub path: Option<&'a str>,
    /// Whether a connection that is closed at once does not count: a proxy of the container engine takes connections
    /// before the code behind it does.
    pub behind_proxy: bool,
}

impl Probe<'_> {
    /// Returns when the copy accepts connections and, where a path is given, answers there with a status below 400. One
    /// who answers on the port and is not `ours` does not count.
    pub async fn passes(&self, ours: impl Fn() -> bool) {
        let mut pause = PAUSE;
        loop {
            let answered = match self.path {
                None => self.connects().await,
                Some(path) => tokio::time::timeout(ANSWER, self.answers(path)).await.unwrap_or(false),
            };
            if answered && ours() {
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn connects(&self) -> bool {
        let Ok(stream) = self.connections.connect().await else { return false };
        if !self.behind_proxy {
            return true;
        }
        // Nobody who speaks HTTP says anything before the request: what can be read now is the end.
        let mut byte = [0];
        tokio::time::timeout(PAUSE_MAX / 4, stream.peek(&mut byte)).await.is_err()
    }

    async fn answers(&self, path: &str) -> bool {
        let body: Body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        let host = self.connections.address().to_string();
        let Ok(request) = Request::get(path).header(http::header::HOST, host).body(body) else {
            return false;
        };
        matches!(self.connections.send(request).await, Ok((response, _)) if response.status().as_u16() < 400)
    }
}

/// The start deadline is over.
pub fn too_late(version: &FunctionVersion) -> Failure {
    let deadline = format_duration(version.spec.start_deadline);
    Failure::new(Reason::StartDeadline, format!("did not answer on $PORT within {deadline}"))
}

impl dyn Output + '_ {
    /// A failure with what the copy said last.
    pub fn explain(&self, failure: Failure) -> Failure {
        explain(failure, &self.last_line())
    }
}
