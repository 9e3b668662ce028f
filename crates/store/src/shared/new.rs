//! The first record of a call, and why there may be none.

use super::record::Record;
use eventflow_domain::invocation::Stored;
use eventflow_domain::lifecycle::Lifecycle;
use eventflow_domain::ports::{Accepted, NewInvocation, Start};
use eventflow_domain::{Attempt, Error, ErrorKind, Invocation, InvocationId, Result, State, Timestamp};
use std::sync::Arc;
use std::time::Duration;

pub(crate) type Answer = Result<Accepted>;

/// For a running call that is recorded after its start: its worker renews it well before.
pub(crate) const RECORDED_LEASE: Duration = Duration::from_secs(30);

/// The first record of a call.
pub(crate) fn row(new: NewInvocation, now: Timestamp) -> Record {
    let (lifecycle, started_at, worker) = match new.start {
        Start::Queued { not_before } => (Lifecycle::accepted(not_before), None, None),
        Start::Running { worker, lease, started_at } => {
            (Lifecycle::started(started_at), Some(started_at), Some((worker, now + lease)))
        }
    };
    let attempts = worker.iter().map(|(worker, _)| Attempt {
        number: lifecycle.attempts,
        epoch: lifecycle.epoch,
        version: new.version,
        worker: worker.clone(),
        started_at: started_at.unwrap_or(new.created_at),
        ended_at: None,
        start: None,
        outcome: None,
        exit_code: None,
        failure: None,
    });
    let mut record = Record::new(Invocation {
        id: new.id,
        function: new.function,
        function_uid: new.function_uid,
        version: new.version,
        lifecycle,
        source: new.source,
        caller: new.caller,
        replay_of: new.replay_of,
        trace: new.trace,
        payload: new.payload,
        result: Stored::NOTHING,
        http_status: None,
        failure: None,
        created_at: new.created_at,
        started_at,
        ended_at: None,
        attempts: attempts.collect(),
        logs_truncated: false,
        start: None,
    });
    if let Some((worker, until)) = worker {
        record.worker = Some(worker.0);
        record.lease_until = Some(until);
    }
    record
}

/// The record of a call that was run without an accept.
pub(crate) fn recorded(invocation: Invocation, until: Timestamp) -> Record {
    let mut record = Record::new(invocation);
    if let Some(last) = record.invocation.attempts.last() {
        record.invocation.start = last.start;
        record.run = last.ended_at.map(|ended| ended.since(last.started_at));
        if record.invocation.state() == State::Running {
            record.worker = Some(Arc::clone(&last.worker.0));
        }
    }
    if record.invocation.state() == State::Running {
        record.lease_until = Some(until);
    }
    record
}

pub(crate) fn waits(state: State) -> bool {
    matches!(state, State::Queued | State::Retrying)
}

/// Whether a call is handed over again, because the first answer was lost on its way.
pub(crate) fn is_same(before: &Invocation, new: &Invocation) -> bool {
    before.function_uid == new.function_uid && before.created_at == new.created_at
}

pub(crate) fn id_taken(id: InvocationId) -> Error {
    Error::new(ErrorKind::AlreadyExists, "InvocationExists", format!("invocation {id} exists already"))
}

pub(crate) fn key_reused(first: InvocationId) -> Error {
    Error::new(ErrorKind::KeyReused, "KeyReused", "this Idempotency-Key was used before with another payload")
        .with_metadata("invocationId", first)
}

pub(crate) fn queue_full(new: &NewInvocation) -> Error {
    let message =
        format!("the queue of function {} is full ({} calls wait)", new.function.name, new.queue_max);
    Error::new(ErrorKind::Exhausted, "QueueFull", message)
        .with_metadata("limit", new.queue_max)
        .with_retry_after(Duration::from_secs(1))
}
