//! A runtime whose functions do what their payload says: `sleep 50; print hello; fail; ok done`.

use async_trait::async_trait;
use eventflow_domain::function::{FunctionVersion, Readiness};
use eventflow_domain::invocation::{Content, Failure, Output, Reason, StartKind};
use eventflow_domain::logs::Stream;
use eventflow_domain::ports::{Call, HttpRequest, HttpResponse, LogSink, Ran, Runtime};
use eventflow_domain::{
    FunctionKey, FunctionUid, InvocationId, Result, RuntimeKind, Timestamp, VersionNumber,
};
use futures::{StreamExt as _, TryStreamExt as _};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// What was started, in order, and how many ran at once.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) starts: Vec<(InvocationId, String, u32)>,
    running: HashMap<FunctionKey, usize>,
    pub(crate) most: HashMap<FunctionKey, usize>,
    pub(crate) retired: Vec<(FunctionUid, Option<VersionNumber>)>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) headers: http::HeaderMap,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Scripted(pub(crate) Arc<Mutex<Ledger>>);

/// Counts a run for as long as it lives.
struct Counted(Scripted, FunctionKey);

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(running) = self.0.0.lock().running.get_mut(&self.1) {
            *running -= 1;
        }
    }
}

impl Scripted {
    pub(crate) fn starts(&self) -> usize {
        self.0.lock().starts.len()
    }

    pub(crate) fn running(&self) -> usize {
        self.0.lock().running.values().sum()
    }

    fn start(&self, call: &Call) -> Counted {
        let key = call.version.key.clone();
        let mut ledger = self.0.lock();
        ledger.starts.push((call.invocation, key.name.to_string(), call.attempt));
        ledger.env = call.env.to_vec();
        let running = ledger.running.entry(key.clone()).or_default();
        *running += 1;
        let running = *running;
        let most = ledger.most.entry(key.clone()).or_default();
        *most = running.max(*most);
        Counted(self.clone(), key)
    }

    async fn play(
        call: &Call,
        script: &str,
        logs: &Arc<dyn LogSink>,
    ) -> std::result::Result<Content, Failure> {
        for step in script.split(';').map(str::trim) {
            let (verb, rest) = step.split_once(' ').unwrap_or((step, ""));
            match verb {
                "sleep" => tokio::time::sleep(Duration::from_millis(rest.parse().expect("ms"))).await,
                "hang" => std::future::pending().await,
                "print" => logs.write(Stream::Stdout, format!("{rest}\n").as_bytes()),
                "flood" => {
                    let line = format!("{}\n", "x".repeat(99));
                    (0..rest.parse().expect("a number"))
                        .for_each(|_| logs.write(Stream::Stderr, line.as_bytes()));
                }
                "fail" => return Err(Failure::new(Reason::ExitCode, "exit code 1")),
                "timeout" => return Err(Failure::new(Reason::Timeout, "timed out")),
                "panic" => panic!("a broken runtime"),
                "fail-until" => {
                    let attempt: u32 = rest.parse().expect("a number");
                    if call.attempt < attempt {
                        return Err(Failure::new(Reason::ExitCode, "exit code 1"));
                    }
                }
                "big" => return Ok(content(&"b".repeat(rest.parse().expect("a number")))),
                "ok" => return Ok(content(rest)),
                _ => return Ok(content(script)),
            }
        }
        Ok(content(script))
    }
}

fn content(text: &str) -> Content {
    Content { bytes: text.to_owned().into(), content_type: Some("text/plain".into()) }
}

#[async_trait]
impl Runtime for Scripted {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Process
    }

    async fn check(&self, _: &FunctionVersion) -> Result<()> {
        Ok(())
    }

    async fn prepare(&self, _: &Arc<FunctionVersion>) -> Readiness {
        Readiness { desired_copies: 1, ready_copies: 1, ..Readiness::default() }
    }

    async fn run(&self, call: Call, logs: Arc<dyn LogSink>) -> Ran {
        let _counted = self.start(&call);
        let script = String::from_utf8_lossy(&call.payload.bytes).into_owned();
        let played = Self::play(&call, &script, &logs).await;
        Ran {
            start: StartKind::Cold,
            started_at: call.invocation.created_at(),
            exit_code: Some(i32::from(played.is_err())),
            failure: played.as_ref().err().cloned(),
            output: played.ok().map(|content| Output { content, status: None }),
        }
    }

    /// The script is the body; `status` ends it, and what follows is streamed.
    async fn serve(
        &self,
        call: Call,
        request: HttpRequest,
        logs: Arc<dyn LogSink>,
    ) -> std::result::Result<HttpResponse, Failure> {
        let counted = self.start(&call);
        self.0.lock().headers = request.headers.clone();
        let chunks: Vec<_> = request.body.try_collect().await.expect("a body");
        let script = String::from_utf8_lossy(&chunks.concat()).into_owned();
        let (before, status) = script.split_once("status ").unwrap_or((script.as_str(), "200"));
        let before = before.trim_end_matches([';', ' ']);
        let content = Self::play(&call, before, &logs).await?;
        let length = content.bytes.len();
        let body = futures::stream::iter([Ok(content.bytes)]).map(move |chunk| {
            let _ = &counted;
            chunk
        });
        let mut headers = http::HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("text/plain"));
        headers.insert(http::header::CONTENT_LENGTH, length.into());
        headers.insert(http::header::RETRY_AFTER, http::HeaderValue::from_static("3"));
        Ok(HttpResponse {
            start: StartKind::Warm,
            started_at: Timestamp::from_millis(call.invocation.created_at().as_millis()),
            status: status.trim().parse().expect("a status"),
            headers,
            body: body.boxed(),
            upgraded: None,
        })
    }

    async fn retire(&self, _: &FunctionKey, uid: FunctionUid, keep: Option<VersionNumber>) {
        self.0.lock().retired.push((uid, keep));
    }

    async fn shutdown(&self) {}
}
