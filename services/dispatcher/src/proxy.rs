//! Requests to a function's own URL: streamed both ways, recorded when the answer has ended.

mod passage;

use crate::attempt::{Code, Work, proxied, proxied_headers, run_span, runtime_of, status_failure};
use crate::core::Core;
use crate::sync::running;
use eventflow_domain::invocation::{Source, Stored};
use eventflow_domain::lifecycle::Verdict;
use eventflow_domain::ports::{HttpRequest, HttpResponse, NewInvocation, ProxyCall, Start};
use eventflow_domain::spec::{Mode, QueuePolicy};
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{Error, ErrorKind, Failure, Reason, Result};
use futures::StreamExt as _;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Method, StatusCode};
use passage::Passage;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tracing::Instrument as _;

pub(crate) async fn proxy(
    core: &Arc<Core>,
    call: ProxyCall,
    mut request: HttpRequest,
) -> Result<HttpResponse> {
    core.check_open()?;
    if call.function.spec.mode != Mode::Http {
        return Err(Error::new(ErrorKind::WrongState, "NoUrl", "a function in job mode has no URL"));
    }
    let slot = core.slots.acquire(&call.function.key, core.config.proxy_wait).await?.ok_or_else(|| {
        Error::new(ErrorKind::Exhausted, "NoFreeSlot", "the function runs as many calls as it may")
            .with_retry_after(Duration::from_secs(1))
    })?;
    let place = core.recorder.reserve(Instant::now() + core.config.proxy_wait).await?;
    let work = Work::new(core, Box::new(running(&new_invocation(core, &call), core.ports.clock.now())));
    let code = core.codes.current(&call.function);
    let (span, trace) = run_span(&work, &code);
    proxied_headers(&mut request.headers, &work.invocation, &trace);
    let mut passage = Passage::new(core, work, slot, place);
    let head = request.method == Method::HEAD;
    match serve(core, &passage, &code, trace, request).instrument(span).await {
        Ok(response) => Ok(passed_on(passage, response, head)),
        Err(failure) => {
            let error = no_answer(&passage, &failure);
            passage.ended(Verdict::Failed(failure));
            Err(error)
        }
    }
}

fn new_invocation(core: &Core, call: &ProxyCall) -> NewInvocation {
    let now = core.ports.clock.now();
    NewInvocation {
        id: call.id,
        function: call.function.key.clone(),
        function_uid: call.function.uid,
        version: call.function.version,
        source: Source::Url,
        caller: Arc::clone(&call.caller.subject),
        replay_of: None,
        trace: call.trace,
        payload: Stored::NOTHING,
        created_at: call.id.created_at().min(now),
        idempotency: None,
        start: Start::Queued { not_before: now },
        queue_max: QueuePolicy::default().max,
    }
}

async fn serve(
    core: &Core,
    passage: &Passage,
    code: &Code,
    trace: TraceContext,
    request: HttpRequest,
) -> std::result::Result<HttpResponse, Failure> {
    let work = passage.work();
    let runtime = runtime_of(core, code)?;
    let to_run = proxied(core, &work.invocation, code, trace).await?;
    runtime.serve(to_run, request, Arc::clone(&work.logs) as _).await
}

/// The answer goes to the caller as it comes; its end ends the call.
fn passed_on(mut passage: Passage, mut response: HttpResponse, head: bool) -> HttpResponse {
    let content_type =
        response.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(Arc::from);
    let failure = status_failure(response.status, &response.headers);
    passage.answered(&response, content_type, failure, expected(&response, head));
    if let Some(upgraded) = response.upgraded.take() {
        response.upgraded = Some(Box::pin(passage.upgraded(upgraded)));
    } else {
        response.body = passage.body(response.body).boxed();
    }
    response
}

/// The length of the body, where it is known: a server does not ask for more than that, not even for its end.
fn expected(response: &HttpResponse, head: bool) -> Option<u64> {
    if head || matches!(response.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return Some(0);
    }
    response.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// What the caller is told where the function gave no answer.
fn no_answer(passage: &Passage, failure: &Failure) -> Error {
    let kind = match failure.reason {
        Reason::Timeout | Reason::StartDeadline => ErrorKind::Deadline,
        _ => ErrorKind::Unavailable,
    };
    let call = &passage.work().invocation;
    Error::new(kind, "FunctionFailed", failure.message.clone())
        .with_metadata("functionReason", failure.reason)
        .with_metadata("invocationId", call.id)
        .with_metadata("version", call.version)
        .with_metadata("attempt", call.lifecycle.attempts)
}
