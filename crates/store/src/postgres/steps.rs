//! Many steps at once: the records are locked and read together, stepped in memory, and written together.

use super::shared::fault::Outcome;
use super::shared::new::waits;
use super::shared::order::{Order, Step, Took, rounds, unknown_attempts, wants};
use super::shared::transition::advance;
use super::tx::Tx;
use super::{attempts, outbox, rows};

/// Carries out all; one answer for each, in order.
pub(super) async fn take_all(tx: &mut Tx, orders: &[Order]) -> Outcome<Vec<Took>> {
    let mut answers = Vec::with_capacity(orders.len());
    for orders in rounds(orders) {
        answers.append(&mut round(tx, orders).await?);
    }
    Ok(answers)
}

async fn round(tx: &mut Tx, orders: &[Order]) -> Outcome<Vec<Took>> {
    let mut records = rows::lock(tx, orders.iter().map(|order| order.id).collect()).await?;
    let (mut steps, mut refusals) = (Vec::with_capacity(orders.len()), Vec::with_capacity(orders.len()));
    for order in orders {
        refusals.push(match records.remove(&order.id) {
            None => Some(Took::Unknown),
            Some(mut record) => match advance(&mut record, &order.wish, tx.options.unfenced, tx.now) {
                Err(refused) => Some(Took::Refused(refused)),
                Ok(change) => {
                    steps.push(Step { record, change, wants: wants(&order.wish) });
                    None
                }
            },
        });
    }
    if !steps.is_empty() {
        let closed = write(tx, &steps).await?;
        attempts::read_all(&mut tx.conn, unknown_attempts(&mut steps, closed)).await?;
    }
    let mut done = steps.into_iter().map(|step| Took::Done(Box::new(step.record.invocation)));
    // Steps were taken in this order.
    Ok(refusals.into_iter().filter_map(|refusal| refusal.or_else(|| done.next())).collect())
}

/// Writes all. Whether every attempt that ended was there and open.
async fn write(tx: &mut Tx, steps: &[Step]) -> Outcome<bool> {
    rows::update(tx, steps).await?;
    let opened =
        steps.iter().filter_map(|step| Some((step.record.invocation.id, step.change.open.as_ref()?)));
    attempts::insert(&mut tx.conn, &opened.collect::<Vec<_>>()).await?;
    let closed =
        steps.iter().filter_map(|step| Some((step.record.invocation.id, step.change.close.as_ref()?)));
    let closed = attempts::close(&mut tx.conn, &closed.collect::<Vec<_>>()).await?;
    let due = steps.iter().filter_map(|step| Some((&step.record.invocation, step.change.publish?)));
    outbox::publish(tx, &due.collect::<Vec<_>>()).await?;
    // A row of the outbox is there as long as its call waits.
    let leaves = |step: &&Step| waits(step.change.from) && !waits(step.record.invocation.state());
    let left = steps.iter().filter(leaves).map(|step| step.record.invocation.id);
    outbox::remove(tx, left.collect()).await?;
    Ok(closed)
}
