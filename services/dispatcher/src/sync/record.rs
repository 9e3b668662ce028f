//! The records of sync calls, made here because no store saw them run.

use crate::attempt::{Finish, Work};
use crate::core::Core;
use eventflow_domain::invocation::{Body, Stored};
use eventflow_domain::lifecycle::{Event, Lifecycle, Policy, State, Verdict, step};
use eventflow_domain::ports::{NewInvocation, Start, SyncCall};
use eventflow_domain::spec::{RecordPolicy, RetryPolicy};
use eventflow_domain::{Attempt, Failure, FunctionKey, Invocation, Reason, StartKind, Timestamp};
use std::sync::Arc;

/// A call about to run.
pub(super) fn started(core: &Core, call: &SyncCall) -> Invocation {
    let now = core.ports.clock.now();
    running(&super::new_invocation(call, core, Start::Queued { not_before: now }), now)
}

/// A call that runs from `now` on.
pub(crate) fn running(new: &NewInvocation, now: Timestamp) -> Invocation {
    let mut record = of(new);
    record.lifecycle = Lifecycle::started(now);
    record.started_at = Some(now);
    record
}

/// A call just accepted as queued.
pub(super) fn queued(new: &NewInvocation) -> Invocation {
    of(new)
}

fn of(new: &NewInvocation) -> Invocation {
    Invocation {
        id: new.id,
        function: FunctionKey::clone(&new.function),
        function_uid: new.function_uid,
        version: new.version,
        lifecycle: Lifecycle::accepted(new.created_at),
        source: new.source,
        caller: Arc::clone(&new.caller),
        replay_of: new.replay_of,
        trace: new.trace,
        payload: new.payload.clone(),
        result: Stored::NOTHING,
        http_status: None,
        failure: None,
        created_at: new.created_at,
        started_at: None,
        ended_at: None,
        attempts: Vec::new(),
        logs_truncated: false,
        start: None,
    }
}

/// How the one attempt of a call ended.
pub(crate) struct Ran {
    pub(crate) verdict: Verdict,
    pub(crate) start: Option<StartKind>,
    pub(crate) started_at: Timestamp,
    pub(crate) exit_code: Option<i32>,
    pub(crate) status: Option<u16>,
    pub(crate) result: Stored,
    pub(crate) logs_truncated: bool,
}

/// The record of a call that ended where its caller waited.
pub(super) fn ended(core: &Core, work: &Work, finish: &Finish) -> Invocation {
    let ran = Ran {
        verdict: finish.verdict.clone().unwrap_or(Verdict::Released),
        start: finish.start,
        started_at: finish.started_at,
        exit_code: finish.exit_code,
        status: finish.status,
        result: finish.result.clone(),
        logs_truncated: work.logs.truncated(),
    };
    end(core, work.invocation.as_ref().clone(), ran)
}

/// Ends a record made by [`started`]. It is final: one attempt. Its caller was told, so it is no dead letter.
pub(crate) fn end(core: &Core, mut record: Invocation, ran: Ran) -> Invocation {
    let now = core.ports.clock.now();
    // Nobody but the caller waits for it: given back is lost.
    let verdict = match ran.verdict {
        Verdict::Released => {
            Verdict::Failed(Failure::new(Reason::Lost, "the worker stopped while it ran the call"))
        }
        verdict => verdict,
    };
    record.failure = match &verdict {
        Verdict::Failed(failure) => Some(failure.clone()),
        Verdict::Cancelled => Some(Failure::new(Reason::Cancelled, "cancelled while it ran")),
        Verdict::FunctionDeleted => Some(Failure::new(Reason::FunctionDeleted, "the function was deleted")),
        Verdict::Succeeded | Verdict::Released => None,
    };
    let policy = Policy { retry: RetryPolicy::default(), max_lost: 0 };
    let event = Event::Settle { epoch: record.lifecycle.epoch, verdict, jitter: 0 };
    if let Ok((life, _)) = step(record.lifecycle, event, &policy, now) {
        record.lifecycle = Lifecycle { dead_letter: false, ..life };
    }
    record.ended_at = Some(now);
    record.started_at = Some(ran.started_at);
    record.http_status = ran.status;
    record.result = ran.result;
    record.logs_truncated = ran.logs_truncated;
    record.start = ran.start;
    if core.record_policy(record.function_uid) == RecordPolicy::Metadata {
        record.payload.body = Body::None;
        record.result.body = Body::None;
    }
    record.attempts.push(attempt(core, &record, ran.start, ran.exit_code));
    record
}

fn attempt(core: &Core, record: &Invocation, start: Option<StartKind>, exit_code: Option<i32>) -> Attempt {
    Attempt {
        number: record.lifecycle.attempts,
        epoch: record.lifecycle.epoch,
        version: record.version,
        worker: core.worker.clone(),
        started_at: record.started_at.unwrap_or(record.created_at),
        ended_at: record.ended_at,
        start,
        outcome: Some(record.lifecycle.state).filter(|state: &State| state.is_terminal()),
        exit_code,
        failure: record.failure.clone(),
    }
}
