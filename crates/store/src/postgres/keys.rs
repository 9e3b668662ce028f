//! Idempotency keys: whose they are is decided by their unique key, whoever else asks at the same time.

use super::arrays::column;
use super::shared::cells::Cells;
use super::shared::fault::{Fault, Outcome};
use super::shared::record::read_id;
use super::tx::Tx;
use eventflow_domain::InvocationId;
use eventflow_domain::ports::IdempotencyKey;
use sqlx::postgres::PgRow;
use std::collections::HashMap;
use std::sync::Arc;

const GET: &str =
    "SELECT scope, payload_hash, invocation FROM idempotency WHERE scope = ANY($1) AND expires_at > $2";

/// Waits for whoever is writing the same key, and then leaves it to them. An expired one is free.
const TAKE: &str = "INSERT INTO idempotency (scope, payload_hash, invocation, expires_at) \
    SELECT * FROM unnest($1, $2, $3, $4) \
    ON CONFLICT (scope) DO UPDATE SET payload_hash = excluded.payload_hash, invocation = excluded.invocation, \
    expires_at = excluded.expires_at WHERE idempotency.expires_at <= $5 RETURNING scope";

const FREE: &str = "DELETE FROM idempotency WHERE scope = ANY($1)";

/// What a key stands for: the hash of the first payload, and the first call.
pub(super) type Holder = ([u8; 32], InvocationId);

/// Of these keys, those that are held.
pub(super) async fn held<'k>(
    tx: &mut Tx,
    keys: impl Iterator<Item = &'k IdempotencyKey>,
) -> Outcome<HashMap<Arc<str>, Holder>> {
    let scopes: Vec<&[u8]> = keys.map(|key| key.scope.as_bytes()).collect();
    if scopes.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query(GET).bind(scopes).bind(tx.now.as_micros()).fetch_all(&mut tx.conn).await?;
    rows.iter().map(read).collect()
}

fn read(row: &PgRow) -> Outcome<(Arc<str>, Holder)> {
    let hash = row.bytes(1)?.try_into().map_err(|cause| Fault::corrupt("payload hash", cause))?;
    Ok((row.text(0)?.into(), (hash, read_id(row.bytes(2)?)?)))
}

/// Takes these keys, all different, for their calls. Those that another was quicker to take, with what they stand for.
pub(super) async fn take(
    tx: &mut Tx,
    mut keys: Vec<(&IdempotencyKey, InvocationId)>,
) -> Outcome<HashMap<Arc<str>, Holder>> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    // In one order, so that two groups cannot wait for each other's keys.
    keys.sort_unstable_by(|(one, _), (other, _)| one.scope.cmp(&other.scope));
    let taken = sqlx::query(TAKE)
        .bind(column(&keys, |(key, _)| key.scope.as_bytes()))
        .bind(column(&keys, |(key, _)| key.payload_hash.as_slice()))
        .bind(column(&keys, |(_, id)| id.as_uuid()))
        .bind(column(&keys, |(key, _)| key.expires_at.as_micros()))
        .bind(tx.now.as_micros())
        .fetch_all(&mut tx.conn)
        .await?;
    if taken.len() == keys.len() || tx.options.unkeyed {
        return Ok(HashMap::new());
    }
    let ours: Vec<&str> = taken.iter().map(|row| row.text(0)).collect::<Outcome<_>>()?;
    let others = keys.iter().map(|(key, _)| *key).filter(|key| !ours.contains(&&*key.scope));
    let others: Vec<&IdempotencyKey> = others.collect();
    held(tx, others.into_iter()).await
}

/// Lets go of keys whose calls were refused after all.
pub(super) async fn free(tx: &mut Tx, scopes: Vec<&[u8]>) -> Outcome<()> {
    if !scopes.is_empty() {
        sqlx::query(FREE).bind(scopes).execute(&mut tx.conn).await?;
    }
    Ok(())
}
