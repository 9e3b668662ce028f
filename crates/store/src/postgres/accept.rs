//! Accepting calls: many in a few statements.

use super::keys::Holder;
use super::shared::fault::Outcome;
use super::shared::new::{Answer, RECORDED_LEASE, id_taken, is_same, key_reused, queue_full, recorded, row};
use super::shared::record::Record;
use super::tx::Tx;
use super::{attempts, keys, places, rows};
use eventflow_domain::ports::{Accepted, IdempotencyKey, NewInvocation, Start};
use eventflow_domain::{Error, FunctionUid, Invocation, InvocationId};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What is to be done with one call of the group.
enum Plan {
    Insert,
    /// The call of this id came before with the same key.
    Same(InvocationId),
    Refuse(Error),
}

/// Accepts all; one answer for each, in order.
pub(super) async fn all(tx: &mut Tx, news: &[NewInvocation]) -> Outcome<Vec<Answer>> {
    if news.is_empty() {
        return Ok(Vec::new());
    }
    let waiting = places::waiting(tx, news).await?;
    let held = keys::held(tx, news.iter().filter_map(|new| new.idempotency.as_ref())).await?;
    let mut plans = plan(news, waiting, held);
    take_keys(tx, news, &mut plans).await?;
    let wanted = news.iter().zip(&plans).filter(|(_, plan)| matches!(plan, Plan::Insert));
    // An id given twice is one call.
    let mut seen = HashSet::new();
    let records: Vec<Record> =
        wanted.filter(|(new, _)| seen.insert(new.id)).map(|(new, _)| row(new.clone(), tx.now)).collect();
    let inserted = insert(tx, &records).await?;
    answers(tx, news, plans, inserted).await
}

/// Decides in order, as if each call came alone.
fn plan(
    news: &[NewInvocation],
    mut waiting: HashMap<FunctionUid, u64>,
    mut held: HashMap<Arc<str>, Holder>,
) -> Vec<Plan> {
    let mut one = |new: &NewInvocation| {
        let key = new.idempotency.as_ref();
        if let Some(plan) = key.and_then(|key| by_key(key, held.get(&key.scope))) {
            return plan;
        }
        if matches!(new.start, Start::Queued { .. }) {
            let count = waiting.entry(new.function_uid).or_default();
            if *count >= u64::from(new.queue_max) {
                return Plan::Refuse(queue_full(new));
            }
            *count += 1;
        }
        if let Some(key) = key {
            held.insert(Arc::clone(&key.scope), (key.payload_hash, new.id));
        }
        Plan::Insert
    };
    news.iter().map(&mut one).collect()
}

fn by_key(key: &IdempotencyKey, holder: Option<&Holder>) -> Option<Plan> {
    let &(hash, id) = holder?;
    Some(if hash == key.payload_hash { Plan::Same(id) } else { Plan::Refuse(key_reused(id)) })
}

/// Takes the keys of the calls to insert. Where another was quicker meanwhile, its call is the one.
async fn take_keys(tx: &mut Tx, news: &[NewInvocation], plans: &mut [Plan]) -> Outcome<()> {
    let wanted = news.iter().zip(&*plans).filter(|(_, plan)| matches!(plan, Plan::Insert));
    let wanted: Vec<_> = wanted.filter_map(|(new, _)| Some((new.idempotency.as_ref()?, new.id))).collect();
    let lost = keys::take(tx, wanted).await?;
    if lost.is_empty() {
        return Ok(());
    }
    for (new, plan) in news.iter().zip(plans) {
        let Some(key) = &new.idempotency else {
            continue;
        };
        if let Some(other) = by_key(key, lost.get(&key.scope)) {
            *plan = other;
        }
    }
    Ok(())
}

/// Inserts the records with all that belongs to them. The ids that were not there.
async fn insert(tx: &mut Tx, records: &[Record]) -> Outcome<HashSet<InvocationId>> {
    let inserted = rows::insert(tx, records).await?;
    let new = records.iter().map(|record| &record.invocation).filter(|call| inserted.contains(&call.id));
    let started: Vec<_> =
        new.flat_map(|call| call.attempts.iter().map(|attempt| (call.id, attempt))).collect();
    attempts::insert(&mut tx.conn, &started).await?;
    Ok(inserted)
}

async fn answers(
    tx: &mut Tx,
    news: &[NewInvocation],
    plans: Vec<Plan>,
    mut inserted: HashSet<InvocationId>,
) -> Outcome<Vec<Answer>> {
    let told = news.iter().zip(&plans).filter_map(|(new, plan)| match plan {
        Plan::Same(id) => Some(*id),
        Plan::Insert if !inserted.contains(&new.id) => Some(new.id),
        _ => None,
    });
    let mut told: Vec<InvocationId> = told.collect();
    // Twice in this group.
    let mut seen = HashSet::new();
    told.extend(news.iter().map(|new| new.id).filter(|id| !seen.insert(*id)));
    let known = whole(tx, told).await?;
    let (mut answers, mut unkept) = (Vec::with_capacity(plans.len()), Vec::new());
    for (new, plan) in news.iter().zip(plans) {
        answers.push(match plan {
            Plan::Refuse(error) => Err(error),
            Plan::Same(id) => known.get(&id).map(existing).ok_or_else(|| Error::invocation_not_found(id)),
            Plan::Insert if inserted.remove(&new.id) => Ok(Accepted::New),
            Plan::Insert => match known.get(&new.id) {
                Some(before) if is_same(before, &row(new.clone(), tx.now).invocation) => Ok(existing(before)),
                _ => {
                    unkept.extend(new.idempotency.as_ref().map(|key| key.scope.as_bytes()));
                    Err(id_taken(new.id))
                }
            },
        });
    }
    keys::free(tx, unkept).await?;
    Ok(answers)
}

fn existing(call: &Invocation) -> Accepted {
    Accepted::Existing(Box::new(call.clone()))
}

/// Records whole, as `get` would tell them.
async fn whole(tx: &mut Tx, ids: Vec<InvocationId>) -> Outcome<HashMap<InvocationId, Invocation>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let records = rows::load(tx, ids).await?;
    let mut calls: HashMap<_, _> = records.into_iter().map(|(id, record)| (id, record.invocation)).collect();
    let places = calls.iter_mut().map(|(id, call)| (*id, &mut call.attempts)).collect();
    attempts::read_all(&mut tx.conn, places).await?;
    Ok(calls)
}

pub(super) async fn record(tx: &mut Tx, invocations: &[Invocation]) -> Outcome<()> {
    let until = tx.now + RECORDED_LEASE;
    let records: Vec<Record> = invocations.iter().map(|call| recorded(call.clone(), until)).collect();
    insert(tx, &records).await?;
    Ok(())
}
