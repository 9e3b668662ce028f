//! Records that end or go back without their worker: lost leases, old queues, cancels, deleted functions.

use super::fault::Outcome;
use super::record::{hex_ids, id_bytes, read_id, uid_bytes};
use super::shared::order::{orders, swept};
use super::shared::record::read_expired;
use super::steps::take_all;
use super::transition::Wish;
use super::writer::Tx;
use eventflow_domain::lifecycle::Policy;
use eventflow_domain::ports::{Expired, Swept};
use eventflow_domain::{FunctionKey, FunctionUid, InvocationId, Timestamp, WorkerId};
use sqlx::Row as _;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use std::sync::Arc;
use std::time::Duration;

const LOST: &str = "SELECT id FROM invocations WHERE state = 1 AND lease_until <= $1 \
                    AND id NOT IN (SELECT unhex(value) FROM json_each($3)) ORDER BY lease_until LIMIT $2";
const OTHERS: &str = "SELECT id FROM invocations WHERE state = 1 AND lease_until IS NOT NULL \
                      AND (lease_until <= $1 OR worker <> $4) \
                      AND id NOT IN (SELECT unhex(value) FROM json_each($3)) LIMIT $2";
const EXPIRED: &str = "SELECT id, epoch, namespace, name, function_uid, version, attempts FROM invocations \
                       WHERE state = 1 AND lease_until <= $1 ORDER BY lease_until LIMIT $2";
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
    spare: Vec<InvocationId>,
) -> Outcome<Vec<Swept>> {
    let now = tx.now().as_micros();
    let sql = if others_dead { OTHERS } else { LOST };
    let mut query = sqlx::query(sql).bind(now).bind(limit).bind(hex_ids(spare));
    if others_dead {
        query = query.bind(Arc::clone(&alive.0));
    }
    let ids = ids(&query.fetch_all(&mut tx.conn).await?)?;
    each(tx, ids, Wish::LeaseLost(policy)).await
}

pub(super) async fn expired(pool: &SqlitePool, now: Timestamp, limit: u32) -> Outcome<Vec<Expired>> {
    let rows = sqlx::query(EXPIRED).bind(now.as_micros()).bind(limit).fetch_all(pool).await?;
    rows.iter().map(read_expired).collect()
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
    each(tx, ids(&rows)?, Wish::Expire).await
}

pub(super) async fn cancel_function(tx: &mut Tx, uid: FunctionUid, limit: u32) -> Outcome<Vec<Swept>> {
    let rows = sqlx::query(OF_FUNCTION).bind(uid_bytes(uid)).bind(limit).fetch_all(&mut tx.conn).await?;
    each(tx, ids(&rows)?, Wish::FunctionDeleted).await
}

fn ids(rows: &[SqliteRow]) -> Outcome<Vec<InvocationId>> {
    rows.iter().map(|row| read_id(row.try_get(0)?)).collect()
}

async fn each(tx: &mut Tx, ids: Vec<InvocationId>, wish: Wish) -> Outcome<Vec<Swept>> {
    let took = take_all(tx, &orders(ids, &wish)).await?;
    Ok(took.into_iter().flatten().filter_map(swept).collect())
}

pub(super) async fn clear_dead_letter(tx: &mut Tx, id: InvocationId) -> Outcome<bool> {
    let done = sqlx::query(CLEAR_DEAD).bind(id_bytes(id)).execute(&mut tx.conn).await?;
    Ok(done.rows_affected() > 0)
}
