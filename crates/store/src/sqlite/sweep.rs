//! Records that end or go back without their worker: lost leases, old queues, cancels, deleted functions.

use super::attempts;
use super::claim::no_policy;
use super::fault::Outcome;
use super::record::{id_bytes, read_id, uid_bytes};
use super::transition::{Ended, advance, load};
use super::writer::Tx;
use eventflow_domain::lifecycle::{Event, Policy, Refused};
use eventflow_domain::ports::Swept;
use eventflow_domain::{Error, ErrorKind, FunctionKey, FunctionUid, Invocation, InvocationId, WorkerId};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use std::sync::Arc;
use std::time::Duration;

const LOST: &str =
    "SELECT id FROM invocations WHERE state = 1 AND lease_until <= $1 ORDER BY lease_until LIMIT $2";
const OTHERS: &str = "SELECT id FROM invocations WHERE state = 1 AND lease_until IS NOT NULL \
                      AND (lease_until <= $1 OR worker <> $3) LIMIT $2";
const OLD: &str = "SELECT id FROM invocations INDEXED BY invocations_live \
                   WHERE state < 3 AND namespace = $1 AND name = $2 AND state IN (0, 2) \
                   AND max(created_at, not_before) < $3 LIMIT $4";
const OF_FUNCTION: &str = "SELECT id FROM invocations INDEXED BY invocations_live \
                           WHERE state < 3 AND function_uid = $1 AND (state <> 1 OR cancel_requested = 0) LIMIT $2";
const CLEAR_DEAD: &str = "UPDATE invocations SET dead_letter = 0 WHERE id = $1 AND dead_letter = 1";

pub(super) async fn lost(
    tx: &mut Tx,
    alive: &WorkerId,
    others_dead: bool,
    policy: Policy,
    limit: u32,
) -> Outcome<Vec<Swept>> {
    let now = tx.now().as_micros();
    let mut query = sqlx::query(if others_dead { OTHERS } else { LOST }).bind(now).bind(limit);
    if others_dead {
        query = query.bind(Arc::clone(&alive.0));
    }
    let ids = ids(&query.fetch_all(&mut tx.conn).await?)?;
    each(tx, ids, Cause::Lost(policy)).await
}

pub(super) async fn expire(
    tx: &mut Tx,
    function: &FunctionKey,
    max_age: Duration,
    limit: u32,
) -> Outcome<Vec<Swept>> {
    let before = tx.now() - max_age;
    let rows = sqlx::query(OLD)
        .bind(function.namespace.as_str())
        .bind(function.name.as_str())
        .bind(before.as_micros())
        .bind(limit)
        .fetch_all(&mut tx.conn)
        .await?;
    each(tx, ids(&rows)?, Cause::Old).await
}

pub(super) async fn cancel_function(tx: &mut Tx, uid: FunctionUid, limit: u32) -> Outcome<Vec<Swept>> {
    let rows = sqlx::query(OF_FUNCTION).bind(uid_bytes(uid)).bind(limit).fetch_all(&mut tx.conn).await?;
    each(tx, ids(&rows)?, Cause::FunctionDeleted).await
}

fn ids(rows: &[SqliteRow]) -> Outcome<Vec<InvocationId>> {
    rows.iter().map(|row| read_id(row.try_get(0)?)).collect()
}

#[derive(Clone, Copy)]
enum Cause {
    Lost(Policy),
    Old,
    FunctionDeleted,
}

async fn each(tx: &mut Tx, ids: Vec<InvocationId>, cause: Cause) -> Outcome<Vec<Swept>> {
    let mut swept = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(mut record) = load(tx, id).await? else {
            continue;
        };
        let (event, policy) = match cause {
            Cause::Lost(policy) => (Event::LeaseLost { epoch: record.invocation.lifecycle.epoch }, policy),
            Cause::Old => (Event::Expire, no_policy()),
            Cause::FunctionDeleted => (Event::FunctionDeleted, no_policy()),
        };
        if advance(tx, &mut record, event, &policy, None, Ended::default()).await?.is_ok() {
            let call = record.invocation;
            swept.push(Swept { invocation: id, state: call.lifecycle.state, function: call.function });
        }
    }
    Ok(swept)
}

pub(super) async fn cancel(tx: &mut Tx, id: InvocationId) -> Outcome<Invocation> {
    let Some(mut record) = load(tx, id).await? else {
        return Err(Error::invocation_not_found(id).into());
    };
    if let Err(refused) =
        advance(tx, &mut record, Event::Cancel, &no_policy(), None, Ended::default()).await?
    {
        return Err(wrong_state(id, refused).into());
    }
    record.hydrate(&mut tx.conn).await?;
    record.invocation.attempts = attempts::of_call(&mut tx.conn, id).await?;
    Ok(record.invocation)
}

fn wrong_state(id: InvocationId, refused: Refused) -> Error {
    let error = Error::new(ErrorKind::WrongState, "WrongState", format!("invocation {id} is {refused}"));
    match refused {
        Refused::Terminal(state) => error.with_metadata("state", state),
        _ => error,
    }
}

pub(super) async fn clear_dead_letter(tx: &mut Tx, id: InvocationId) -> Outcome<bool> {
    let done = sqlx::query(CLEAR_DEAD).bind(id_bytes(id)).execute(&mut tx.conn).await?;
    Ok(done.rows_affected() > 0)
}
