//! The life of an invocation as a pure state machine.
//!
//! ```text
//!           accept            claim: epoch+1, attempt+1      settle: same epoch
//! caller ──▶ QUEUED ─────────────▶ RUNNING ───────────▶ SUCCEEDED | FAILED | CANCELLED
//!               ▲                     │ failed and attempts left        ▲
//!               ├──── RETRYING ◀──────┤ (not before t)                  │ cancel
//!               └─────────────────────┘ lost: lease expired, released
//! ```
//!
//! Stores load a [`Lifecycle`], call [`step`], and write back the new one together with its effects in one
//! transaction, fenced by the epoch they read. What is decided here is decided the same everywhere.

use crate::ids::Epoch;
use crate::invocation::{Failure, Reason};
use crate::spec::RetryPolicy;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    Queued,
    Running,
    /// Waiting for its next attempt.
    Retrying,
    Succeeded,
    Failed,
    Cancelled,
}

impl State {
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Running, Self::Retrying, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// A terminal state never changes again.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Running => "RUNNING",
            Self::Retrying => "RETRYING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What of a record decides its next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifecycle {
    pub state: State,
    pub epoch: Epoch,
    /// Starts of user code so far.
    pub attempts: u32,
    /// Of those, the ones that were lost; they do not count against `maxAttempts`.
    pub lost: u32,
    /// Not to be started before.
    pub not_before: Timestamp,
    pub cancel_requested: bool,
    /// FAILED with attempts exhausted, and neither redriven nor discarded since.
    pub dead_letter: bool,
}

impl Lifecycle {
    /// A call just accepted.
    pub fn accepted(not_before: Timestamp) -> Self {
        Self {
            state: State::Queued,
            epoch: Epoch(0),
            attempts: 0,
            lost: 0,
            not_before,
            cancel_requested: false,
            dead_letter: false,
        }
    }

    /// A sync call accepted and claimed at once by the worker that will run it.
    pub fn started(now: Timestamp) -> Self {
        Self { state: State::Running, epoch: Epoch(1), attempts: 1, ..Self::accepted(now) }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Succeeded,
    Failed(Failure),
    /// The owner ended it because a cancel was asked for.
    Cancelled,
    /// The owner ended it because its function was deleted.
    FunctionDeleted,
    /// The owner gives it back unfinished: it is shutting down, or could not start it for a cause of its own.
    Released,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A worker wants to run it.
    Claim,
    /// The run of `epoch` ended. `jitter` is a random number in thousandths (0..1000) that spreads a retry.
    Settle { epoch: Epoch, verdict: Verdict, jitter: u16 },
    /// The lease of `epoch` ran out, or its owner is known to be dead.
    LeaseLost { epoch: Epoch },
    /// Its owner is gone, but what it had started still runs elsewhere: another worker takes over the same attempt.
    Adopt { epoch: Epoch },
    /// A caller asks for its end.
    Cancel,
    /// It waited longer than its queue allows.
    Expire,
    /// Its function was deleted.
    FunctionDeleted,
}

/// The policy that an event is judged by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    pub retry: RetryPolicy,
    pub max_lost: u32,
}

/// What must be written or told together with the new state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Record the start of this attempt.
    OpenAttempt { number: u32, epoch: Epoch },
    /// The running attempt goes on under another worker and a new epoch.
    ResumeAttempt { epoch: Epoch },
    /// Record the end of the running attempt.
    CloseAttempt { outcome: State, failure: Option<Failure> },
    /// Write an outbox row that becomes due at `at`.
    Publish { at: Timestamp },
    /// Take back outbox rows not yet published.
    Unpublish,
    /// Tell the worker that holds the lease that a cancel is wished.
    TellOwner,
    /// The record is terminal.
    Finish { failure: Option<Failure> },
}

/// Why an event does not apply. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("already {0}")]
    Terminal(State),
    #[error("epoch is {current}, not {given}")]
    StaleEpoch { given: Epoch, current: Epoch },
    #[error("not to be started before {0}")]
    TooEarly(Timestamp),
    #[error("{0} does not allow this")]
    WrongState(State),
}

type Next = (Lifecycle, Vec<Effect>);
type Stepped = Result<Next, Refused>;

/// The next state and what must happen with it. Pure: no clock, no randomness, no I/O.
pub fn step(life: Lifecycle, event: Event, policy: &Policy, now: Timestamp) -> Stepped {
    if life.state.is_terminal() {
        return Err(Refused::Terminal(life.state));
    }
    match event {
        Event::Claim => claim(life, now),
        Event::Settle { epoch, verdict, jitter } => {
            fence(&life, epoch)?;
            Ok(settle(life, verdict, jitter, policy, now))
        }
        Event::LeaseLost { epoch } => {
            fence(&life, epoch)?;
            Ok(lost(
                life,
                Failure::new(Reason::Lost, "the worker was lost while it ran the call"),
                policy,
                now,
            ))
        }
        Event::Adopt { epoch } => {
            fence(&life, epoch)?;
            Ok(adopt(life))
        }
        Event::Cancel => Ok(cancel(life)),
        Event::Expire => match life.state {
            State::Queued | State::Retrying => Ok(finish(
                life,
                State::Failed,
                Some(Failure::new(Reason::Expired, "waited in the queue longer than queue.maxAge")),
                vec![Effect::Unpublish],
            )),
            state => Err(Refused::WrongState(state)),
        },
        Event::FunctionDeleted => {
            if life.state == State::Running {
                return Ok(cancel(life));
            }
            Ok(finish(life, State::Cancelled, Some(function_deleted()), vec![Effect::Unpublish]))
        }
    }
}

fn function_deleted() -> Failure {
    Failure::new(Reason::FunctionDeleted, "the function was deleted")
}

fn fence(life: &Lifecycle, given: Epoch) -> Result<(), Refused> {
    if life.epoch != given {
        return Err(Refused::StaleEpoch { given, current: life.epoch });
    }
    if life.state != State::Running {
        return Err(Refused::WrongState(life.state));
    }
    Ok(())
}

fn claim(mut life: Lifecycle, now: Timestamp) -> Stepped {
    match life.state {
        State::Queued | State::Retrying if life.not_before > now => Err(Refused::TooEarly(life.not_before)),
        State::Queued | State::Retrying => {
            life.state = State::Running;
            life.epoch = life.epoch.next();
            life.attempts += 1;
            Ok((life, vec![Effect::OpenAttempt { number: life.attempts, epoch: life.epoch }]))
        }
        state => Err(Refused::WrongState(state)),
    }
}

fn adopt(mut life: Lifecycle) -> Next {
    life.epoch = life.epoch.next();
    (life, vec![Effect::ResumeAttempt { epoch: life.epoch }])
}

fn settle(life: Lifecycle, verdict: Verdict, jitter: u16, policy: &Policy, now: Timestamp) -> Next {
    let close = |outcome, failure| Effect::CloseAttempt { outcome, failure };
    match verdict {
        Verdict::Succeeded => finish(life, State::Succeeded, None, vec![close(State::Succeeded, None)]),
        Verdict::Cancelled => {
            let failure = Failure::new(Reason::Cancelled, "cancelled while it ran");
            let effects = vec![close(State::Cancelled, Some(failure.clone()))];
            finish(life, State::Cancelled, Some(failure), effects)
        }
        Verdict::FunctionDeleted => {
            let failure = function_deleted();
            let effects = vec![close(State::Cancelled, Some(failure.clone()))];
            finish(life, State::Cancelled, Some(failure), effects)
        }
        Verdict::Released => {
            lost(life, Failure::new(Reason::Lost, "given back by a worker that was stopping"), policy, now)
        }
        Verdict::Failed(failure) if failure.reason.is_infrastructure() => lost(life, failure, policy, now),
        Verdict::Failed(failure) => {
            // Lost attempts have a bound of their own.
            let failed = life.attempts.saturating_sub(life.lost);
            let effects = vec![close(State::Failed, Some(failure.clone()))];
            if life.cancel_requested || !failure.reason.retryable() || failed >= policy.retry.max_attempts {
                return fail(life, failure, effects);
            }
            let backoff = policy.retry.backoff.wait(failed, f64::from(jitter.min(1000)) / 1000.0);
            let wait = failure.retry_after.map_or(backoff, |asked| asked.max(backoff));
            requeue(life, State::Retrying, wait.min(MAX_RETRY_AFTER), now, effects)
        }
    }
}

/// A function that answers `Retry-After: 1 year` is not believed.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

fn lost(mut life: Lifecycle, failure: Failure, policy: &Policy, now: Timestamp) -> Next {
    life.lost += 1;
    let effects = vec![Effect::CloseAttempt { outcome: State::Failed, failure: Some(failure.clone()) }];
    if life.cancel_requested {
        let cancelled = Failure::new(Reason::Cancelled, "cancelled; the worker was lost meanwhile");
        return finish(life, State::Cancelled, Some(cancelled), effects);
    }
    if life.lost > policy.max_lost {
        return fail(life, failure, effects);
    }
    requeue(life, State::Queued, Duration::ZERO, now, effects)
}

fn cancel(mut life: Lifecycle) -> Next {
    if life.state == State::Running {
        let told = life.cancel_requested;
        life.cancel_requested = true;
        return (life, if told { vec![] } else { vec![Effect::TellOwner] });
    }
    let failure = Failure::new(Reason::Cancelled, "cancelled before it ran");
    finish(life, State::Cancelled, Some(failure), vec![Effect::Unpublish])
}

fn requeue(
    mut life: Lifecycle,
    state: State,
    wait: Duration,
    now: Timestamp,
    mut effects: Vec<Effect>,
) -> Next {
    life.state = state;
    life.not_before = now + wait;
    effects.push(Effect::Publish { at: life.not_before });
    (life, effects)
}

fn fail(mut life: Lifecycle, failure: Failure, effects: Vec<Effect>) -> Next {
    life.dead_letter = true;
    finish(life, State::Failed, Some(failure), effects)
}

fn finish(mut life: Lifecycle, state: State, failure: Option<Failure>, mut effects: Vec<Effect>) -> Next {
    life.state = state;
    effects.push(Effect::Finish { failure });
    (life, effects)
}

#[cfg(test)]
mod tests;
