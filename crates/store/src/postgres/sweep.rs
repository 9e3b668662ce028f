//! Records that end or go back without their worker: lost leases, old queues, deleted functions. Those that another
//! process is changing at this moment are left to it, or to the next time.

use super::arrays::column;
use super::shared::cells::Cells;
use super::shared::fault::Outcome;
use super::shared::order::{orders, swept};
use super::shared::record::{read_expired, read_id};
use super::shared::transition::Wish;
use super::steps::take_all;
use super::tx::Tx;
use eventflow_domain::lifecycle::Policy;
use eventflow_domain::ports::{Expired, Swept};
use eventflow_domain::{FunctionKey, FunctionUid, InvocationId, Timestamp, WorkerId};
use sqlx::postgres::{PgConnection, PgRow};
use std::time::Duration;

const LOST: &str = "SELECT id FROM invocations WHERE state = 1 AND lease_until <= $1 AND NOT id = ANY($3) \
    ORDER BY lease_until LIMIT $2 FOR UPDATE SKIP LOCKED";
const OTHERS: &str = "SELECT id FROM invocations WHERE state = 1 AND lease_until IS NOT NULL \
    AND (lease_until <= $1 OR worker <> $4) AND NOT id = ANY($3) LIMIT $2 FOR UPDATE SKIP LOCKED";
const EXPIRED: &str = "SELECT id, epoch, namespace, name, function_uid, version, attempts FROM invocations \
    WHERE state = 1 AND lease_until <= coalesce($2, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) \
    ORDER BY lease_until LIMIT $1";
const OLD: &str = "SELECT id FROM invocations WHERE state < 3 AND namespace = $1 AND name = $2 AND state IN (0, 2) \
    AND created_at < $3 AND not_before < $3 LIMIT $4 FOR UPDATE SKIP LOCKED";
const OF_FUNCTION: &str = "SELECT id FROM invocations WHERE state < 3 AND function_uid = $1 \
    AND (state <> 1 OR NOT cancel_requested) LIMIT $2 FOR UPDATE SKIP LOCKED";
const CLEAR_DEAD: &str = "UPDATE invocations SET dead_letter = false WHERE id = $1 AND dead_letter";

pub(super) async fn lost(
    tx: &mut Tx,
    alive: &WorkerId,
    others_dead: bool,
    policy: Policy,
    limit: u32,
    spare: &[InvocationId],
) -> Outcome<Vec<Swept>> {
    let sql = if others_dead { OTHERS } else { LOST };
    let spare = column(spare, |id| id.as_uuid());
    let mut query = sqlx::query(sql).bind(tx.now.as_micros()).bind(i64::from(limit)).bind(spare);
    if others_dead {
        query = query.bind(alive.as_str());
    }
    let rows = query.fetch_all(&mut tx.conn).await?;
    each(tx, &rows, &Wish::LeaseLost(policy)).await
}

/// `now` where it is not the database's time that counts.
pub(super) async fn expired(
    conn: &mut PgConnection,
    now: Option<Timestamp>,
    limit: u32,
) -> Outcome<Vec<Expired>> {
    let query = sqlx::query(EXPIRED).bind(i64::from(limit)).bind(now.map(Timestamp::as_micros));
    let rows = query.fetch_all(conn).await?;
    rows.iter().map(read_expired).collect()
}

pub(super) async fn expire(
    tx: &mut Tx,
    function: &FunctionKey,
    max_age: Duration,
    limit: u32,
) -> Outcome<Vec<Swept>> {
    let rows = sqlx::query(OLD)
        .bind(function.namespace.as_str())
        .bind(function.name.as_str())
        .bind((tx.now - max_age).as_micros())
        .bind(i64::from(limit))
        .fetch_all(&mut tx.conn)
        .await?;
    each(tx, &rows, &Wish::Expire).await
}

pub(super) async fn cancel_function(tx: &mut Tx, uid: FunctionUid, limit: u32) -> Outcome<Vec<Swept>> {
    let query = sqlx::query(OF_FUNCTION).bind(uid.as_uuid()).bind(i64::from(limit));
    let rows = query.fetch_all(&mut tx.conn).await?;
    each(tx, &rows, &Wish::FunctionDeleted).await
}

async fn each(tx: &mut Tx, rows: &[PgRow], wish: &Wish) -> Outcome<Vec<Swept>> {
    let ids: Vec<InvocationId> = rows.iter().map(|row| read_id(row.bytes(0)?)).collect::<Outcome<_>>()?;
    let took = take_all(tx, &orders(ids, wish)).await?;
    Ok(took.into_iter().filter_map(swept).collect())
}

pub(super) async fn clear_dead_letter(tx: &mut Tx, id: InvocationId) -> Outcome<bool> {
    let done = sqlx::query(CLEAR_DEAD).bind(id.as_uuid()).execute(&mut tx.conn).await?;
    Ok(done.rows_affected() > 0)
}
