//! What is forgotten, and what is still named.

use super::shared::cells::Cells;
use super::shared::fault::Outcome;
use super::shared::record::read_id;
use super::tx::Tx;
use eventflow_domain::ports::{Retention, RetentionReport};
use sqlx::postgres::PgConnection;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

const NEXT_FUNCTION: &str = "SELECT namespace, name FROM invocations WHERE (namespace, name) > ($1, $2) \
    ORDER BY namespace, name LIMIT 1";
const NTH_NEWEST: &str = "SELECT ended_at, id FROM invocations WHERE namespace = $1 AND name = $2 \
    AND ended_at IS NOT NULL ORDER BY ended_at DESC, id DESC LIMIT 1 OFFSET $3";
/// Ended up to $3 and $4; but for those that a live key answers with, and those that another process is removing now.
const CANDIDATES: &str = "SELECT id FROM invocations i WHERE namespace = $1 AND name = $2 AND ended_at IS NOT NULL \
    AND (ended_at, id) <= ($3, $4) \
    AND NOT EXISTS (SELECT 1 FROM idempotency k WHERE k.invocation = i.id AND k.expires_at > $5) \
    ORDER BY ended_at, id LIMIT $6 FOR UPDATE SKIP LOCKED";

/// All that belongs to a call, the call itself last.
const REMOVE: [&str; 5] = [
    "DELETE FROM attempts WHERE invocation = ANY($1)",
    "DELETE FROM logs WHERE invocation = ANY($1)",
    "DELETE FROM outbox WHERE invocation = ANY($1)",
    "DELETE FROM idempotency WHERE invocation = ANY($1)",
    "DELETE FROM invocations WHERE id = ANY($1) AND state >= 3",
];
const KEYS: &str = "DELETE FROM idempotency WHERE scope IN (SELECT scope FROM idempotency WHERE expires_at <= $1 \
    LIMIT $2 FOR UPDATE SKIP LOCKED)";
/// Of a function that is gone, where no record names them. A function that is there keeps all: for rollback.
const VERSIONS: &str = "DELETE FROM versions v WHERE NOT EXISTS (SELECT 1 FROM functions f WHERE f.uid = v.uid) \
    AND NOT EXISTS (SELECT 1 FROM invocations i WHERE i.namespace = v.namespace AND i.name = v.name \
    AND i.function_uid = v.uid AND i.version = v.number)";
/// Lines whose record never came, because the process ended in between.
const LOGS: &str = "DELETE FROM logs WHERE (invocation, attempt, seq) IN (SELECT invocation, attempt, seq FROM logs l \
    WHERE source = $1 AND time < $2 AND NOT EXISTS (SELECT 1 FROM invocations i WHERE i.id = l.invocation) LIMIT $3)";
/// Counts of functions of which nothing waits. All shards of a function, or none: their sum stays.
const COUNTS: &str = "WITH held AS MATERIALIZED (SELECT function_uid, shard, count FROM waiting WHERE function_uid IN \
    (SELECT function_uid FROM waiting GROUP BY function_uid HAVING sum(count) = 0 LIMIT $1) \
    ORDER BY function_uid, shard FOR UPDATE) \
    DELETE FROM waiting w USING held WHERE w.function_uid = held.function_uid AND w.shard = held.shard \
    AND (SELECT sum(h.count) FROM held h WHERE h.function_uid = w.function_uid) = 0";

/// Of processes that ended long ago.
const WRITERS: &str = "DELETE FROM writers WHERE at < $1";
const DAY: Duration = Duration::from_secs(86_400);

const BLOBS: &str = "SELECT EXISTS (SELECT 1 FROM invocations WHERE payload_kind = 2 AND payload = key) \
    OR EXISTS (SELECT 1 FROM invocations WHERE result_kind = 2 AND result = key) \
    OR EXISTS (SELECT 1 FROM versions WHERE blob = convert_from(key, 'UTF8')) \
    FROM unnest($1) WITH ORDINALITY AS u (key, at) ORDER BY at";

pub(super) async fn retain(tx: &mut Tx, retention: &Retention) -> Outcome<RetentionReport> {
    let cutoff = (tx.now - retention.max_age).as_micros();
    let ids = candidates(tx, retention, cutoff).await?;
    let removed = ids.len() as u64;
    if !ids.is_empty() {
        for sql in REMOVE {
            sqlx::query(sql).bind(&ids).execute(&mut tx.conn).await?;
        }
    }
    let batch = i64::from(retention.batch);
    sqlx::query(KEYS).bind(tx.now.as_micros()).bind(batch).execute(&mut tx.conn).await?;
    sqlx::query(VERSIONS).execute(&mut tx.conn).await?;
    for row in sqlx::query("SELECT id FROM log_sources ORDER BY id").fetch_all(&mut tx.conn).await? {
        sqlx::query(LOGS).bind(row.int(0)?).bind(cutoff).bind(batch).execute(&mut tx.conn).await?;
    }
    sqlx::query(WRITERS).bind((tx.now - DAY * 7).as_micros()).execute(&mut tx.conn).await?;
    sqlx::query(COUNTS).bind(batch).execute(&mut tx.conn).await?;
    Ok(RetentionReport { removed, more: removed >= u64::from(retention.batch) })
}

async fn candidates(tx: &mut Tx, retention: &Retention, cutoff: i64) -> Outcome<Vec<Uuid>> {
    let (mut ids, mut last) = (Vec::new(), (String::new(), String::new()));
    while ids.len() < retention.batch as usize {
        let query = sqlx::query(NEXT_FUNCTION).bind(&last.0).bind(&last.1);
        let Some(next) = query.fetch_optional(&mut tx.conn).await? else {
            break;
        };
        last = (next.text(0)?.to_owned(), next.text(1)?.to_owned());
        let first_over = sqlx::query(NTH_NEWEST)
            .bind(&last.0)
            .bind(&last.1)
            .bind(i64::try_from(retention.max_count).unwrap_or(i64::MAX))
            .fetch_optional(&mut tx.conn)
            .await?;
        let too_many = match first_over {
            Some(row) => (row.int(0)?, read_id(row.bytes(1)?)?.as_uuid()),
            None => (i64::MIN, Uuid::nil()),
        };
        // Both are all the older ones up to a place in one order.
        let (time, id) = too_many.max((cutoff - 1, Uuid::max()));
        let rows = sqlx::query(CANDIDATES)
            .bind(&last.0)
            .bind(&last.1)
            .bind(time)
            .bind(id)
            .bind(tx.now.as_micros())
            .bind(i64::from(retention.batch) - ids.len() as i64)
            .fetch_all(&mut tx.conn)
            .await?;
        for row in rows {
            ids.push(read_id(row.bytes(0)?)?.as_uuid());
        }
    }
    Ok(ids)
}

pub(super) async fn blobs_in_use(conn: &mut PgConnection, keys: &[Arc<str>]) -> Outcome<Vec<bool>> {
    let keys: Vec<&[u8]> = keys.iter().map(|key| key.as_bytes()).collect();
    let rows = sqlx::query(BLOBS).bind(keys).fetch_all(conn).await?;
    rows.iter().map(|row| row.flag(0)).collect()
}
