//! One step of a record's life, in memory: what the state machine says of it, and what is to be written for it.

use super::record::Record;
use eventflow_domain::lifecycle::{Effect, Event, Lifecycle, Policy, Refused, step};
use eventflow_domain::ports::Settlement;
use eventflow_domain::spec::RetryPolicy;
use eventflow_domain::{Attempt, Epoch, Failure, Invocation, State, Timestamp, WorkerId};
use std::sync::Arc;
use std::time::Duration;

/// What is wished of a record.
#[derive(Debug, Clone)]
pub(crate) enum Wish {
    /// To run it; one that waited longer than `max_age` is expired instead.
    Claim {
        max_age: Duration,
        worker: WorkerId,
        lease: Duration,
    },
    Settle(Box<Settlement>),
    LeaseLost(Policy),
    /// To take over the run of this epoch, where its lease ran out.
    Adopt {
        epoch: Epoch,
        worker: WorkerId,
        lease: Duration,
    },
    Expire,
    FunctionDeleted,
    Cancel,
}

/// What a step changed, beside what stands in the record.
#[derive(Debug)]
pub(crate) struct Change {
    /// The fence: only who read the epoch that still stands may write.
    pub read_epoch: Epoch,
    pub from: State,
    pub open: Option<Attempt>,
    pub close: Option<Closed>,
    pub publish: Option<Timestamp>,
    pub unpublish: bool,
    /// The record has its result now, and whether its payload is dropped.
    pub end: Option<bool>,
    /// The payload that is dropped lies in `bodies`.
    pub drop_body: bool,
}

/// The end of an attempt.
#[derive(Debug)]
pub(crate) struct Closed {
    pub attempt: Attempt,
    /// When user code started, where that is known better than at the claim.
    pub started_at: Option<Timestamp>,
    /// `attempt` is what the row says now.
    pub whole: bool,
}

/// Takes one step. `record` is changed only where the state machine allows it.
pub(crate) fn advance(
    record: &mut Record,
    wish: &Wish,
    unfenced: bool,
    now: Timestamp,
) -> Result<Change, Refused> {
    let before = record.invocation.lifecycle;
    if matches!(wish, Wish::Adopt { .. }) && record.lease_until.is_some_and(|until| until > now) {
        return Err(Refused::WrongState(before.state));
    }
    let (event, policy) = judged(&record.invocation, wish, unfenced, now);
    let (after, effects) = step(before, event, &policy, now)?;
    let mut change = Change::from(before);
    let end = settlement(wish);
    let call = &mut record.invocation;
    call.lifecycle = after;
    if let Some(end) = end {
        call.logs_truncated |= end.logs_truncated;
        call.http_status = end.http_status;
    }
    for effect in effects {
        change.carry_out(record, effect, wish, now);
    }
    if after.state != State::Running {
        record.worker = None;
        record.lease_until = None;
    }
    if let Some(end) = end.filter(|_| after.state.is_terminal()) {
        record.set_result(end.result.clone());
        change.end = Some(end.drop_payload);
        if end.drop_payload {
            change.drop_body = record.payload_apart();
            record.drop_payload();
        }
    }
    Ok(change)
}

fn settlement(wish: &Wish) -> Option<&Settlement> {
    match wish {
        Wish::Settle(end) => Some(end),
        _ => None,
    }
}

/// The event that a wish comes to for this record, and the policy it is judged by.
fn judged(call: &Invocation, wish: &Wish, unfenced: bool, now: Timestamp) -> (Event, Policy) {
    // For events that no policy bears on.
    let none = || Policy { retry: RetryPolicy::default(), max_lost: 0 };
    let current = call.lifecycle.epoch;
    match wish {
        Wish::Claim { max_age, .. } => {
            let waits = matches!(call.state(), State::Queued | State::Retrying);
            let expired = waits && now.since(waits_since(call)) > *max_age;
            (if expired { Event::Expire } else { Event::Claim }, none())
        }
        Wish::Settle(end) => {
            let epoch = if unfenced { current } else { end.epoch };
            (Event::Settle { epoch, verdict: end.verdict.clone(), jitter: end.jitter }, end.policy)
        }
        Wish::LeaseLost(policy) => (Event::LeaseLost { epoch: current }, *policy),
        Wish::Adopt { epoch, .. } => (Event::Adopt { epoch: *epoch }, none()),
        Wish::Expire => (Event::Expire, none()),
        Wish::FunctionDeleted => (Event::FunctionDeleted, none()),
        Wish::Cancel => (Event::Cancel, none()),
    }
}

/// Since when a call waits for its next start: a delay or a backoff is not waiting.
fn waits_since(call: &Invocation) -> Timestamp {
    call.lifecycle.not_before.max(call.created_at)
}

impl From<Lifecycle> for Change {
    /// Nothing is changed yet.
    fn from(before: Lifecycle) -> Self {
        Self {
            read_epoch: before.epoch,
            from: before.state,
            open: None,
            close: None,
            publish: None,
            unpublish: false,
            end: None,
            drop_body: false,
        }
    }
}

impl Change {
    fn carry_out(&mut self, record: &mut Record, effect: Effect, wish: &Wish, now: Timestamp) {
        match effect {
            Effect::OpenAttempt { number, epoch } => {
                if let Wish::Claim { worker, lease, .. } = wish {
                    self.open = Some(open(record, number, epoch, worker, now));
                    record.lease_until = Some(now + *lease);
                }
            }
            // The attempt's row says who started it; only the record says whose it is now.
            Effect::ResumeAttempt { .. } => {
                if let Wish::Adopt { worker, lease, .. } = wish {
                    record.worker = Some(Arc::clone(&worker.0));
                    record.lease_until = Some(now + *lease);
                }
            }
            Effect::CloseAttempt { outcome, failure } => {
                self.close = Some(close(record, outcome, failure, settlement(wish), now));
            }
            Effect::Publish { at } => self.publish = Some(at),
            Effect::Unpublish => self.unpublish = true,
            Effect::Finish { failure } => {
                record.invocation.ended_at = Some(now);
                record.invocation.failure = failure;
            }
            // Whoever asked for this tells the owner over the bus; the wish itself is in the row.
            Effect::TellOwner => {}
        }
    }
}

fn open(record: &mut Record, number: u32, epoch: Epoch, worker: &WorkerId, now: Timestamp) -> Attempt {
    record.worker = Some(Arc::clone(&worker.0));
    let call = &mut record.invocation;
    call.started_at = call.started_at.or(Some(now));
    Attempt {
        number,
        epoch,
        version: call.version,
        worker: worker.clone(),
        started_at: now,
        ended_at: None,
        start: None,
        outcome: None,
        exit_code: None,
        failure: None,
    }
}

fn close(
    record: &mut Record,
    outcome: State,
    failure: Option<Failure>,
    end: Option<&Settlement>,
    now: Timestamp,
) -> Closed {
    let call = &mut record.invocation;
    let (number, started_at) = (call.lifecycle.attempts, end.map(|end| end.started_at));
    let start = end.and_then(|end| end.start);
    if number == 1 && started_at.is_some() {
        call.started_at = started_at;
    }
    call.start = start.or(call.start);
    record.run = started_at.map(|started| now.since(started));
    let worker = record.worker.clone();
    // An adopted attempt has the epoch and the worker of its start.
    let adopted = call.lifecycle.epoch.0 != i64::from(number);
    let whole = worker.is_some() && started_at.is_some() && !adopted;
    let attempt = Attempt {
        number,
        epoch: call.lifecycle.epoch,
        version: call.version,
        worker: WorkerId(worker.unwrap_or_default()),
        started_at: started_at.unwrap_or(now),
        ended_at: Some(now),
        start,
        outcome: Some(outcome),
        exit_code: end.and_then(|end| end.exit_code),
        failure,
    };
    Closed { attempt, started_at, whole }
}
