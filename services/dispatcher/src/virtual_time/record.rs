//! The record in memory: every step is `lifecycle::step`'s, as in the real stores.

use eventflow_domain::invocation::Stored;
use eventflow_domain::lifecycle::{Effect, Event, Lifecycle, Policy, Refused, step};
use eventflow_domain::ports::{Message, NewInvocation, OutboxRow, Settlement, Start};
use eventflow_domain::{Attempt, FunctionKey, Invocation, InvocationId, State, Timestamp, WorkerId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A call and what the API does not show of it.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) call: Invocation,
    pub(super) lease: Option<(WorkerId, Timestamp)>,
    publishes: u32,
    pub(super) published_at: Timestamp,
    outbox: Option<(i64, Timestamp)>,
}

#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) kept: BTreeMap<InvocationId, Kept>,
    seq: i64,
}

/// What a step is taken with, beside the event.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct With<'a> {
    /// The claim's worker and the end of its lease.
    pub(super) lease: Option<(&'a WorkerId, Timestamp)>,
    pub(super) end: Option<&'a Settlement>,
}

impl Calls {
    pub(super) fn insert(&mut self, new: NewInvocation) {
        let mut kept = Kept {
            call: record(&new),
            lease: None,
            publishes: 0,
            published_at: new.created_at,
            outbox: None,
        };
        match new.start {
            Start::Queued { not_before } => {
                kept.call.lifecycle = Lifecycle::accepted(not_before);
                self.seq += 1;
                kept.publish(self.seq, not_before);
            }
            Start::Running { worker, lease, started_at } => {
                kept.call.lifecycle = Lifecycle::started(started_at);
                kept.call.started_at = Some(started_at);
                kept.call.attempts.push(kept.attempt(1, &worker, started_at));
                kept.lease = Some((worker, new.created_at.max(started_at) + lease));
            }
        }
        self.kept.insert(kept.call.id, kept);
    }

    /// The record of a sync call, unless it is there already.
    pub(super) fn insert_ended(&mut self, call: Invocation) {
        let published_at = call.created_at;
        let kept = |call| Kept { call, lease: None, publishes: 0, published_at, outbox: None };
        self.kept.entry(call.id).or_insert_with(|| kept(call));
    }

    /// One step of one call; `None` where there is no such call.
    pub(super) fn step(
        &mut self,
        id: InvocationId,
        event: Event,
        policy: &Policy,
        now: Timestamp,
        with: With<'_>,
    ) -> Option<Result<State, Refused>> {
        let kept = self.kept.get_mut(&id)?;
        let (life, effects) = match step(kept.call.lifecycle, event, policy, now) {
            Ok(next) => next,
            Err(refused) => return Some(Err(refused)),
        };
        kept.call.lifecycle = life;
        for effect in effects {
            if let Effect::Publish { at } = effect {
                self.seq += 1;
                kept.publish(self.seq, at);
            } else {
                kept.carry_out(effect, now, with);
            }
        }
        kept.lease = match with.lease {
            Some((worker, until)) if life.state == State::Running => Some((worker.clone(), until)),
            _ => kept.lease.take().filter(|_| life.state == State::Running),
        };
        Some(Ok(life.state))
    }

    pub(super) fn publish_again(&mut self, id: InvocationId) {
        if let Some(kept) = self.kept.get_mut(&id) {
            self.seq += 1;
            kept.publish(self.seq, kept.call.lifecycle.not_before);
        }
    }

    /// Rows due at `now`, oldest first.
    pub(super) fn due(&self, now: Timestamp) -> Vec<OutboxRow> {
        let mut due: Vec<_> = self.kept.values().filter_map(|kept| Some((kept.outbox?, kept))).collect();
        due.retain(|((_, at), _)| *at <= now);
        due.sort_unstable_by_key(|((seq, at), _)| (*at, *seq));
        due.into_iter().map(|((seq, _), kept)| OutboxRow { seq, message: kept.message() }).collect()
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.kept.values().filter_map(|kept| Some(kept.outbox?.1)).min()
    }

    pub(super) fn published(&mut self, seqs: &[i64], now: Timestamp) {
        for kept in self.kept.values_mut() {
            if kept.outbox.is_some_and(|(seq, _)| seqs.contains(&seq)) {
                kept.outbox = None;
                kept.published_at = now;
            }
        }
    }

    /// Calls of a function that hold `wanted`.
    pub(super) fn of(&self, function: &FunctionKey, wanted: impl Fn(&Kept) -> bool) -> Vec<InvocationId> {
        let of = self.kept.values().filter(|kept| kept.call.function == *function && wanted(kept));
        of.map(|kept| kept.call.id).collect()
    }
}

impl Kept {
    pub(super) fn waits(&self) -> bool {
        matches!(self.call.state(), State::Queued | State::Retrying)
    }

    pub(super) fn waits_since(&self) -> Timestamp {
        self.call.lifecycle.not_before.max(self.call.created_at)
    }

    pub(super) fn is_published(&self) -> bool {
        self.outbox.is_none()
    }

    fn publish(&mut self, seq: i64, at: Timestamp) {
        self.publishes += 1;
        self.outbox = Some((seq, at));
    }

    fn message(&self) -> Message {
        Message {
            invocation: self.call.id,
            function: self.call.function.clone(),
            function_uid: self.call.function_uid,
            epoch: self.call.lifecycle.epoch,
            publish: self.publishes,
            trace: self.call.trace,
        }
    }

    fn attempt(&self, number: u32, worker: &WorkerId, started_at: Timestamp) -> Attempt {
        Attempt {
            number,
            epoch: self.call.lifecycle.epoch,
            version: self.call.version,
            worker: worker.clone(),
            started_at,
            ended_at: None,
            start: None,
            outcome: None,
            exit_code: None,
            failure: None,
        }
    }

    fn carry_out(&mut self, effect: Effect, now: Timestamp, with: With<'_>) {
        match effect {
            Effect::OpenAttempt { number, .. } => {
                let (worker, _) = with.lease.expect("only a claim opens an attempt");
                let attempt = self.attempt(number, worker, now);
                self.call.attempts.push(attempt);
                self.call.started_at.get_or_insert(now);
            }
            Effect::CloseAttempt { outcome, failure } => {
                let attempt = self.call.attempts.last_mut().expect("an open attempt");
                (attempt.ended_at, attempt.outcome, attempt.failure) = (Some(now), Some(outcome), failure);
            }
            Effect::Unpublish => self.outbox = None,
            Effect::Finish { failure } => {
                self.call.failure = failure;
                self.call.ended_at = Some(now);
                self.call.result = with.end.map_or(Stored::NOTHING, |end| end.result.clone());
            }
            Effect::Publish { .. } | Effect::TellOwner | Effect::ResumeAttempt { .. } => {}
        }
    }
}

fn record(new: &NewInvocation) -> Invocation {
    Invocation {
        id: new.id,
        function: new.function.clone(),
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
