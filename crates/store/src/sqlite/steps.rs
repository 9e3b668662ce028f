//! Many steps at once: the records are read together, stepped in memory, and written together. A bad one fails alone.

use super::attempts;
use super::bodies;
use super::fault::Outcome;
use super::record::{self, GET, GET_MANY, Record, hex_ids, id_bytes};
use super::transition::{Change, Wish, advance};
use super::write;
use super::writer::Tx;
use eventflow_domain::error::Chain;
use eventflow_domain::lifecycle::Refused;
use eventflow_domain::{Error, Invocation, InvocationId, Result};
use std::collections::{HashMap, HashSet};

/// What is wished of which record.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub id: InvocationId,
    pub wish: Wish,
}

/// What became of an order.
#[derive(Debug)]
pub(super) enum Took {
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
pub(super) struct Step {
    pub record: Record,
    pub change: Change,
    wants: Wants,
}

/// The record as it lies in the row, without attempts and without bodies kept apart.
pub(super) async fn load(tx: &mut Tx, id: InvocationId) -> Outcome<Option<Record>> {
    let row = sqlx::query(GET).bind(id_bytes(id)).fetch_optional(&mut tx.conn).await?;
    row.as_ref().map(record::read).transpose()
}

async fn load_all(tx: &mut Tx, orders: &[Order]) -> Outcome<HashMap<InvocationId, Record>> {
    let mut records = HashMap::with_capacity(orders.len());
    let mut unknown = Vec::new();
    for order in orders {
        match tx.hot.take(order.id) {
            Some(record) => drop(records.insert(order.id, record)),
            None => unknown.push(order.id),
        }
    }
    match unknown.as_slice() {
        [] => {}
        [id] => records.extend(load(tx, *id).await?.map(|record| (*id, record))),
        _ => {
            let ids = hex_ids(unknown.iter().copied());
            for row in sqlx::query(GET_MANY).bind(ids).fetch_all(&mut tx.conn).await? {
                let record = record::read(&row)?;
                records.insert(record.invocation.id, record);
            }
        }
    }
    Ok(records)
}

/// Carries out all, in order; one answer for each. `Err` is the fault of the whole transaction.
pub(super) async fn take_all(tx: &mut Tx, orders: &[Order]) -> Outcome<Vec<Result<Took>>> {
    let mut answers = Vec::with_capacity(orders.len());
    for round in rounds(orders) {
        match try_round(tx, round).await? {
            Ok(took) => answers.extend(took.into_iter().map(Ok)),
            Err(error) if round.len() == 1 => answers.push(Err(told(round, error))),
            // One of them is bad: find it.
            Err(_) => {
                for order in round.chunks(1) {
                    let took = try_round(tx, order).await?;
                    answers.push(took.map_err(|error| told(order, error)).map(first));
                }
            }
        }
    }
    Ok(answers)
}

fn first(took: Vec<Took>) -> Took {
    took.into_iter().next().unwrap_or(Took::Unknown)
}

fn told(orders: &[Order], error: Error) -> Error {
    for order in orders {
        tracing::error!(invocation_id = %order.id, error = %Chain(&error), "a record cannot be changed");
    }
    error
}

/// Cut so that no record is in a round twice: the next round reads what the one before wrote.
fn rounds(orders: &[Order]) -> Vec<&[Order]> {
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

async fn try_round(tx: &mut Tx, orders: &[Order]) -> Outcome<Result<Vec<Took>>> {
    tx.save().await?;
    let took = round(tx, orders).await;
    tx.kept(took).await
}

async fn round(tx: &mut Tx, orders: &[Order]) -> Outcome<Vec<Took>> {
    let (now, mut records) = (tx.now(), load_all(tx, orders).await?);
    let (mut steps, mut refusals) = (Vec::with_capacity(orders.len()), Vec::with_capacity(orders.len()));
    for order in orders {
        refusals.push(match records.remove(&order.id) {
            None => Some(Took::Unknown),
            Some(mut record) => match advance(&mut record, &order.wish, tx.unfenced, now) {
                Err(refused) => {
                    tx.hot.keep(&record);
                    Some(Took::Refused(refused))
                }
                Ok(change) => {
                    steps.push(Step { record, change, wants: wants(&order.wish) });
                    None
                }
            },
        });
    }
    let closed = write::all(tx, &steps).await?;
    for step in &steps {
        tx.hot.keep(&step.record);
    }
    complete(tx, &mut steps, closed).await?;
    let mut done = steps.into_iter().map(|step| Took::Done(Box::new(step.record.invocation)));
    // Steps were taken in this order.
    Ok(refusals.into_iter().filter_map(|refusal| refusal.or_else(|| done.next())).collect())
}

/// How much of the record the answer tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    Bare,
    Bodies,
    Whole,
}

fn wants(wish: &Wish) -> Wants {
    match wish {
        Wish::LeaseLost(_) | Wish::Expire | Wish::FunctionDeleted => Wants::Bare,
        Wish::Claim { .. } => Wants::Bodies,
        Wish::Settle(_) | Wish::Cancel => Wants::Whole,
    }
}

/// Reads what the answers tell beside the rows. `closed`: every attempt that ended was there.
async fn complete(tx: &mut Tx, steps: &mut [Step], closed: bool) -> Outcome<()> {
    let told = steps.iter_mut().filter(|step| step.wants != Wants::Bare);
    bodies::hydrate_all(&mut tx.conn, told.map(|step| &mut step.record).collect()).await?;
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
    attempts::read_all(&mut tx.conn, unknown).await
}
