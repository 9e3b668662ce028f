//! One attempt: from a claimed record to how it ended.

mod http;
mod inputs;
mod result;

pub(crate) use http::{body_failure, proxied_headers, status_failure};
pub(crate) use inputs::{Code, Codes, load};

use crate::control::{Control, Cut};
use crate::core::Core;
use crate::logs::{CallLogs, Owner};
use ::http::HeaderMap;
use bytes::Bytes;
use eventflow_domain::error::Chain;
use eventflow_domain::invocation::{Content, Stored};
use eventflow_domain::lifecycle::Verdict;
use eventflow_domain::ports::{Call, Lease, Runtime};
use eventflow_domain::spec::Mode;
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{Failure, Invocation, Output, Reason, StartKind, Timestamp};
use eventflow_telemetry::names::{SPAN_ATTEMPT, SPAN_RUN};
use eventflow_telemetry::propagation;
use futures::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

/// An attempt to carry out.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) invocation: Box<Invocation>,
    /// The payload, where it is in memory already.
    pub(crate) bytes: Option<Bytes>,
    /// Headers of the caller's request that go on to the function.
    pub(crate) headers: HeaderMap,
    pub(crate) logs: Arc<CallLogs>,
    pub(crate) control: Arc<Control>,
    /// With the attempt as the parent of what comes next.
    pub(crate) trace: TraceContext,
    pub(crate) span: Span,
    /// Another worker started it.
    pub(crate) adopted: bool,
}

impl Work {
    /// An attempt of `invocation`, in a span of its own.
    pub(crate) fn new(core: &Core, invocation: Box<Invocation>) -> Self {
        let parent = invocation.trace;
        Self::under(core, invocation, parent)
    }

    /// As [`Work::new`], for a call that came over the bus: `published` is the hop before.
    pub(crate) fn delivered(core: &Core, invocation: Box<Invocation>, published: TraceContext) -> Self {
        let same = published.trace_id == invocation.trace.trace_id;
        let parent = if same { published } else { invocation.trace };
        Self::under(core, invocation, parent)
    }

    fn under(core: &Core, invocation: Box<Invocation>, parent: TraceContext) -> Self {
        let owner = Owner {
            invocation: invocation.id,
            uid: invocation.function_uid,
            function: invocation.function.clone(),
            attempt: invocation.lifecycle.attempts,
        };
        let (span, trace) = span(&invocation, parent);
        Self {
            invocation,
            bytes: None,
            headers: HeaderMap::new(),
            logs: core.logs.open(owner),
            control: Arc::default(),
            trace,
            span,
            adopted: false,
        }
    }
}

/// The span of one attempt, and the trace to hand on.
fn span(invocation: &Invocation, parent: TraceContext) -> (Span, TraceContext) {
    let span = tracing::info_span!(
        SPAN_ATTEMPT,
        trace_id = Empty,
        invocation_id = %invocation.id,
        namespace = %invocation.function.namespace,
        function = %invocation.function.name,
        attempt = invocation.lifecycle.attempts,
    );
    let trace = propagation::adopt(&span, Some(parent));
    (span, trace)
}

/// The span of user code, and the trace that it is told.
pub(crate) fn run_span(work: &Work, code: &Code) -> (Span, TraceContext) {
    let runtime = code.version.spec.runtime;
    let span = tracing::debug_span!(parent: &work.span, SPAN_RUN, trace_id = Empty, %runtime);
    let trace = if span.is_disabled() { work.trace } else { propagation::adopt(&span, Some(work.trace)) };
    (span, trace)
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Finish {
    /// `None` = the lease is lost: nothing is to be written.
    pub(crate) verdict: Option<Verdict>,
    pub(crate) start: Option<StartKind>,
    pub(crate) started_at: Timestamp,
    pub(crate) exit_code: Option<i32>,
    pub(crate) status: Option<u16>,
    /// For the caller who waits.
    pub(crate) content: Content,
    /// For the record.
    pub(crate) result: Stored,
    /// From the start of the attempt in this process.
    pub(crate) took: Duration,
}

/// What the runtime gave back, in both modes.
#[derive(Debug, Default)]
struct Outcome {
    start: Option<StartKind>,
    started_at: Option<Timestamp>,
    output: Option<Output>,
    failure: Option<Failure>,
    exit_code: Option<i32>,
}

impl Outcome {
    fn failed(failure: Failure) -> Self {
        Self { failure: Some(failure), ..Self::default() }
    }
}

/// Runs the attempt; ended early by its control.
pub(crate) async fn carry_out(core: &Core, work: &Work) -> Finish {
    let (began, tried_at) = (core.ports.clock.monotonic(), core.ports.clock.now());
    let run = AssertUnwindSafe(run(core, work).instrument(work.span.clone())).catch_unwind();
    let outcome = tokio::select! {
        biased;
        why = cut(core, work) => Err(why),
        outcome = run => Ok(outcome.unwrap_or_else(|_| {
            Outcome::failed(Failure::new(Reason::Internal, "the runtime broke while it ran the call"))
        })),
    };
    let mut finish = Finish {
        verdict: None,
        start: None,
        started_at: tried_at,
        exit_code: None,
        status: None,
        content: Content::default(),
        result: Stored::NOTHING,
        took: Duration::ZERO,
    };
    match outcome {
        Err(Cut::Gone) => {}
        // Deleted from the registry first, so that this tells the two causes of a cancel apart.
        Err(Cut::Cancelled) => {
            let deleted = core.ports.registry.get_by_uid(work.invocation.function_uid).is_none();
            finish.verdict = Some(if deleted { Verdict::FunctionDeleted } else { Verdict::Cancelled });
        }
        Err(Cut::Released) => finish.verdict = Some(Verdict::Released),
        Ok(outcome) => conclude(core, work, outcome, &mut finish).await,
    }
    finish.took = core.ports.clock.monotonic().saturating_sub(began);
    finish
}

/// Why the run is to end. One that outlives this process is left to whoever adopts it, before its future is dropped.
async fn cut(core: &Core, work: &Work) -> Cut {
    let why = work.control.ended().await;
    if why == Cut::Cancelled {
        return why;
    }
    let (id, attempt) = (work.invocation.id, work.invocation.lifecycle.attempts);
    let left = core.ports.runtimes.iter().any(|runtime| runtime.leave(id, attempt));
    if why == Cut::Released && left && hand_over(core, work).await {
        return Cut::Gone;
    }
    why
}

/// Gives up the lease, so that another worker need not wait for its end. If that fails, it ends by itself.
async fn hand_over(core: &Core, work: &Work) -> bool {
    let lease = Lease { invocation: work.invocation.id, epoch: work.invocation.lifecycle.epoch };
    let given = core.ports.store.renew(vec![lease], &core.worker, Duration::ZERO).await;
    if let Err(error) = given {
        tracing::warn!(error = %Chain(&error), "failed to hand a run over, another worker waits for the lease's end");
    }
    true
}

async fn conclude(core: &Core, work: &Work, outcome: Outcome, finish: &mut Finish) {
    finish.start = outcome.start;
    finish.started_at = outcome.started_at.unwrap_or(finish.started_at);
    finish.exit_code = outcome.exit_code;
    let mut failure = outcome.failure;
    if let Some(output) = outcome.output {
        finish.status = output.status;
        match result::keep(core, work, &output.content).await {
            Ok(stored) => (finish.result, finish.content) = (stored, output.content),
            Err(too_large) => failure = failure.or(Some(too_large)),
        }
    }
    finish.verdict = Some(failure.map_or(Verdict::Succeeded, Verdict::Failed));
}

async fn run(core: &Core, work: &Work) -> Outcome {
    match try_run(core, work).await {
        Ok(outcome) => outcome,
        Err(failure) => Outcome::failed(failure),
    }
}

async fn try_run(core: &Core, work: &Work) -> Result<Outcome, Failure> {
    let invocation = &work.invocation;
    let code = core.codes.resolve(core, invocation.function_uid, invocation.version).await?;
    let runtime = runtime_of(core, &code)?;
    // Held until the run has ended: the payload is in memory that long.
    let (payload, _room) =
        if work.adopted { (Content::default(), None) } else { inputs::payload(core, work).await? };
    let spec = &code.version.spec;
    let (mode, longest) = (spec.mode, spec.start_deadline + spec.timeout + core.config.backstop);
    let env = inputs::env(core, &code, runtime.resolves_env()).await?;
    let (span, trace) = run_span(work, &code);
    let call = Call { adopted: work.adopted, ..call(invocation, &code, env, payload, trace) };
    let ran = async {
        match mode {
            Mode::Job => job(runtime, call, work).await,
            Mode::Http => http::request(core, runtime, call, work).await,
        }
    };
    Ok(tokio::time::timeout(longest, ran.instrument(span)).await.unwrap_or_else(|_| {
        Outcome::failed(Failure::new(Reason::Timeout, "did not end at its timeout and was given up"))
    }))
}

pub(crate) fn runtime_of<'a>(core: &'a Core, code: &Code) -> Result<&'a Arc<dyn Runtime>, Failure> {
    let kind = code.version.spec.runtime;
    core.ports.runtime(kind).ok_or_else(|| {
        Failure::new(Reason::RuntimeUnavailable, format!("this installation runs no {kind} functions"))
    })
}

fn call(
    invocation: &Invocation,
    code: &Code,
    env: Arc<[(String, String)]>,
    payload: Content,
    trace: TraceContext,
) -> Call {
    Call {
        invocation: invocation.id,
        attempt: invocation.lifecycle.attempts,
        version: Arc::clone(&code.version),
        env,
        payload,
        trace,
        timeout: code.version.spec.timeout,
        start_deadline: code.version.spec.start_deadline,
        adopted: false,
    }
}

/// The call to a function's own URL: its payload is the request's body.
pub(crate) async fn proxied(
    core: &Core,
    invocation: &Invocation,
    code: &Code,
    trace: TraceContext,
) -> Result<Call, Failure> {
    let declared_only = runtime_of(core, code)?.resolves_env();
    let env = inputs::env(core, code, declared_only).await?;
    Ok(call(invocation, code, env, Content::default(), trace))
}

async fn job(runtime: &Arc<dyn Runtime>, call: Call, work: &Work) -> Outcome {
    let ran = runtime.run(call, Arc::clone(&work.logs) as _).await;
    Outcome {
        start: Some(ran.start),
        started_at: Some(ran.started_at),
        output: ran.output,
        failure: ran.failure,
        exit_code: ran.exit_code,
    }
}
