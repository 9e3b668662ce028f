//! What is forgotten, and what is still named.

use super::SqliteStore;
use super::fault::Outcome;
use super::writer::Tx;
use eventflow_domain::Result;
use eventflow_domain::ports::{Retention, RetentionReport};
use sqlx::Row as _;
use sqlx::sqlite::SqlitePool;
use std::sync::Arc;

const NEXT_FUNCTION: &str = "SELECT namespace, name FROM invocations WHERE (namespace, name) > ($1, $2) \
    ORDER BY namespace, name LIMIT 1";
const NTH_NEWEST: &str = "SELECT ended_at, id FROM invocations \
    WHERE namespace = $1 AND name = $2 AND ended_at IS NOT NULL ORDER BY ended_at DESC, id DESC LIMIT 1 OFFSET $3";
/// Ended before $3, or not among the newest; but for those that a live key answers with.
const CANDIDATES: &str = "SELECT hex(id) FROM invocations \
    WHERE namespace = $1 AND name = $2 AND ended_at IS NOT NULL AND state >= 3 \
    AND (ended_at < $3 OR (ended_at, id) <= ($4, $5)) \
    AND NOT EXISTS (SELECT 1 FROM idempotency k WHERE k.invocation = invocations.id AND k.expires_at > $6) \
    ORDER BY ended_at LIMIT $7";

/// All that belongs to a call, the call itself last. The ids come as a JSON array of hex strings.
const REMOVE: [&str; 6] = [
    "DELETE FROM attempts WHERE invocation IN (SELECT unhex(value) FROM json_each($1))",
    "DELETE FROM bodies WHERE invocation IN (SELECT unhex(value) FROM json_each($1))",
    "DELETE FROM logs WHERE invocation IN (SELECT unhex(value) FROM json_each($1))",
    "DELETE FROM outbox WHERE invocation IN (SELECT unhex(value) FROM json_each($1))",
    "DELETE FROM idempotency WHERE invocation IN (SELECT unhex(value) FROM json_each($1))",
    "DELETE FROM invocations WHERE state >= 3 AND id IN (SELECT unhex(value) FROM json_each($1))",
];
const KEYS: &str =
    "DELETE FROM idempotency WHERE scope IN (SELECT scope FROM idempotency WHERE expires_at <= $1 LIMIT $2)";
/// Of a function that is gone, where no record names them. A function that is there keeps all: for rollback.
const VERSIONS: &str = "DELETE FROM versions WHERE NOT EXISTS (SELECT 1 FROM functions f WHERE f.uid = versions.uid) \
    AND NOT EXISTS (SELECT 1 FROM invocations i WHERE i.namespace = versions.namespace AND i.name = versions.name \
    AND i.function_uid = versions.uid AND i.version = versions.number)";
/// Lines whose record never came, because the process ended in between.
const LOGS: &str = "DELETE FROM logs WHERE (invocation, attempt, seq) IN (SELECT invocation, attempt, seq FROM logs \
    WHERE source = $1 AND time < $2 \
    AND NOT EXISTS (SELECT 1 FROM invocations i WHERE i.id = logs.invocation) LIMIT $3)";

const BLOB: &str = "SELECT EXISTS (SELECT 1 FROM invocations WHERE payload_kind = 2 AND payload = $1) \
    OR EXISTS (SELECT 1 FROM invocations WHERE result_kind = 2 AND result = $1) \
    OR EXISTS (SELECT 1 FROM versions WHERE blob = $1)";

pub(super) async fn retain(store: &SqliteStore, retention: &Retention) -> Result<RetentionReport> {
    let now = store.clock.now();
    let cutoff = (now - retention.max_age).as_micros();
    // Found outside the writer, so that a long search holds up no accept; an ended record never lives again.
    let ids = candidates(&store.readers, retention, cutoff, now.as_micros()).await?;
    let removed = ids.len() as u64;
    let batch = retention.batch;
    store.writer.write(move |tx| Box::pin(async move { remove(tx, ids, cutoff, batch).await })).await?;
    Ok(RetentionReport { removed, more: removed >= u64::from(batch) })
}

async fn candidates(pool: &SqlitePool, retention: &Retention, cutoff: i64, now: i64) -> Outcome<Vec<String>> {
    let mut ids = Vec::new();
    let mut last = (String::new(), String::new());
    while ids.len() < retention.batch as usize {
        let next = sqlx::query(NEXT_FUNCTION)
            .bind(last.0.as_str())
            .bind(last.1.as_str())
            .fetch_optional(pool)
            .await?;
        let Some(next) = next else {
            break;
        };
        last = (next.try_get(0)?, next.try_get(1)?);
        let first_over = sqlx::query(NTH_NEWEST)
            .bind(last.0.as_str())
            .bind(last.1.as_str())
            .bind(i64::try_from(retention.max_count).unwrap_or(i64::MAX))
            .fetch_optional(pool)
            .await?;
        let (over_time, over_id) = match first_over {
            Some(row) => (row.try_get::<i64, _>(0)?, row.try_get::<Vec<u8>, _>(1)?),
            None => (i64::MIN, Vec::new()),
        };
        let rows = sqlx::query(CANDIDATES)
            .bind(last.0.as_str())
            .bind(last.1.as_str())
            .bind(cutoff)
            .bind(over_time)
            .bind(over_id)
            .bind(now)
            .bind(i64::from(retention.batch) - ids.len() as i64)
            .fetch_all(pool)
            .await?;
        for row in rows {
            ids.push(row.try_get(0)?);
        }
    }
    Ok(ids)
}

async fn remove(tx: &mut Tx, ids: Vec<String>, cutoff: i64, batch: u32) -> Outcome<()> {
    if !ids.is_empty() {
        let ids = serde_json::Value::from(ids).to_string();
        for sql in REMOVE {
            sqlx::query(sql).bind(ids.as_str()).execute(&mut tx.conn).await?;
        }
    }
    let now = tx.now().as_micros();
    sqlx::query(KEYS).bind(now).bind(batch).execute(&mut tx.conn).await?;
    sqlx::query(VERSIONS).execute(&mut tx.conn).await?;
    let sources: Vec<i64> = sqlx::query_scalar("SELECT id FROM log_sources").fetch_all(&mut tx.conn).await?;
    for source in sources {
        sqlx::query(LOGS).bind(source).bind(cutoff).bind(batch).execute(&mut tx.conn).await?;
    }
    Ok(())
}

pub(super) async fn blobs_in_use(pool: &SqlitePool, keys: Vec<Arc<str>>) -> Outcome<Vec<bool>> {
    let mut used = Vec::with_capacity(keys.len());
    for key in keys {
        used.push(sqlx::query_scalar(BLOB).bind(key).fetch_one(pool).await?);
    }
    Ok(used)
}
