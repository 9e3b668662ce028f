//! What is wished of records, and what became of it.

use super::record::Record;
use super::transition::{Change, Wish};
use eventflow_domain::lifecycle::Refused;
use eventflow_domain::ports::{Claim, ClaimRequest, Lease, Settled, Swept};
use eventflow_domain::{Attempt, Error, ErrorKind, Invocation, InvocationId, Result, State, WorkerId};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// What is wished of which record.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub id: InvocationId,
    pub wish: Wish,
}

/// What became of an order.
#[derive(Debug)]
pub(crate) enum Took {
    /// The record as it is now. With bodies where the order was a claim, a settlement or a cancel; with attempts for
    /// the latter two.
    Done(Box<Invocation>),
    /// Nothing was changed.
    Refused(Refused),
    /// There is no such record.
    Unknown,
}

/// A step that was taken.
#[derive(Debug)]
pub(crate) struct Step {
    pub record: Record,
    pub change: Change,
    pub wants: Wants,
}

/// How much of the record the answer tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wants {
    Bare,
    Bodies,
    Whole,
}

pub(crate) fn wants(wish: &Wish) -> Wants {
    match wish {
        Wish::LeaseLost(_) | Wish::Expire | Wish::FunctionDeleted => Wants::Bare,
        Wish::Claim { .. } | Wish::Adopt { .. } => Wants::Bodies,
        Wish::Settle(_) | Wish::Cancel => Wants::Whole,
    }
}

/// Fills in the attempts of steps that tell them, where they are known; the places of the others. `closed`: every attempt
/// that ended was there.
pub(crate) fn unknown_attempts(steps: &mut [Step], closed: bool) -> HashMap<InvocationId, &mut Vec<Attempt>> {
    let mut unknown = HashMap::new();
    for step in steps.iter_mut().filter(|step| step.wants == Wants::Whole) {
        let call = &mut step.record.invocation;
        match &step.change.close {
            // The only attempt is known already.
            Some(end) if closed && end.whole && end.attempt.number == 1 => {
                call.attempts = vec![end.attempt.clone()];
            }
            _ => {
                unknown.insert(call.id, &mut call.attempts);
            }
        }
    }
    unknown
}

/// Cut so that no record is in a round twice: the next round reads what the one before wrote.
pub(crate) fn rounds(orders: &[Order]) -> Vec<&[Order]> {
    let (mut rounds, mut seen, mut from) = (Vec::with_capacity(1), HashSet::with_capacity(orders.len()), 0);
    for (at, order) in orders.iter().enumerate() {
        if !seen.insert(order.id) {
            rounds.extend(orders.get(from..at));
            from = at;
            seen.clear();
            seen.insert(order.id);
        }
    }
    rounds.extend(orders.get(from..).filter(|rest| !rest.is_empty()));
    rounds
}

pub(crate) fn claims(requests: Vec<ClaimRequest>, worker: &WorkerId, lease: Duration) -> Vec<Order> {
    let order = |request: ClaimRequest| Order {
        id: request.invocation,
        wish: Wish::Claim { max_age: request.max_age, worker: worker.clone(), lease },
    };
    requests.into_iter().map(order).collect()
}

pub(crate) fn adoption(held: Lease, worker: &WorkerId, lease: Duration) -> Order {
    Order { id: held.invocation, wish: Wish::Adopt { epoch: held.epoch, worker: worker.clone(), lease } }
}

pub(crate) fn claimed(took: Result<Took>) -> Claim {
    match took {
        Ok(Took::Done(call)) if call.state() == State::Running => Claim::Claimed(call),
        Ok(Took::Done(call)) => Claim::Expired(call),
        Ok(Took::Refused(refused)) => Claim::Stale(Some(refused)),
        // What cannot be read or written is not to be run, and must not hold up the others.
        Ok(Took::Unknown) | Err(_) => Claim::Stale(None),
    }
}

/// The answer to the only order.
pub(crate) fn only(took: Vec<Result<Took>>) -> Result<Took> {
    took.into_iter().next().unwrap_or(Ok(Took::Unknown))
}

pub(crate) fn settled(took: Took) -> Settled {
    match took {
        Took::Done(record) => Settled::Done(record),
        Took::Refused(refused) => Settled::Refused(refused),
        Took::Unknown => Settled::Unknown,
    }
}

pub(crate) fn cancelled(took: Took, id: InvocationId) -> Result<Invocation> {
    match took {
        Took::Done(call) => Ok(*call),
        Took::Refused(refused) => Err(wrong_state(id, refused)),
        Took::Unknown => Err(Error::invocation_not_found(id)),
    }
}

fn wrong_state(id: InvocationId, refused: Refused) -> Error {
    let error = Error::new(ErrorKind::WrongState, "WrongState", format!("invocation {id} is {refused}"));
    match refused {
        Refused::Terminal(state) => error.with_metadata("state", state),
        _ => error,
    }
}

pub(crate) fn orders(ids: Vec<InvocationId>, wish: &Wish) -> Vec<Order> {
    ids.into_iter().map(|id| Order { id, wish: wish.clone() }).collect()
}

pub(crate) fn swept(took: Took) -> Option<Swept> {
    match took {
        Took::Done(call) => {
            Some(Swept { invocation: call.id, state: call.lifecycle.state, function: call.function })
        }
        _ => None,
    }
}

/// Another writer changed a record after it was read.
pub(crate) fn overtaken() -> Error {
    Error::new(ErrorKind::VersionConflict, "VersionConflict", "another writer was first")
}
