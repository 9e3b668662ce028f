//! Many steps at once: the records are read together, stepped in memory, and written together. A bad one fails alone.

use super::attempts;
use super::bodies;
use super::fault::Outcome;
use super::record::{self, GET, GET_MANY, Record, hex_ids, id_bytes};
use super::shared::order::{Order, Step, Took, Wants, rounds, unknown_attempts, wants};
use super::transition::advance;
use super::write;
use super::writer::Tx;
use eventflow_domain::error::Chain;
use eventflow_domain::{Error, InvocationId, Result};
use std::collections::HashMap;

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

/// Reads what the answers tell beside the rows. `closed`: every attempt that ended was there.
async fn complete(tx: &mut Tx, steps: &mut [Step], closed: bool) -> Outcome<()> {
    let told = steps.iter_mut().filter(|step| step.wants != Wants::Bare);
    bodies::hydrate_all(&mut tx.conn, told.map(|step| &mut step.record).collect()).await?;
    attempts::read_all(&mut tx.conn, unknown_attempts(steps, closed)).await
}
