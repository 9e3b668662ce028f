//! The outbox: which calls are to be told to the bus, and when.

use super::fault::Outcome;
use super::insert::MultiInsert;
use super::record::{id_bytes, read_id, read_key, read_trace, read_uid};
use super::writer::Tx;
use eventflow_domain::ports::{Message, OutboxRow};
use eventflow_domain::{Epoch, FunctionKey, InvocationId, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{Arguments as _, Row as _};
use std::sync::LazyLock;

static OUTBOX: LazyLock<MultiInsert> =
    LazyLock::new(|| MultiInsert::new("INSERT OR REPLACE INTO outbox", "invocation, due_at", ""));

pub(super) const DUE: &str = "SELECT o.seq, i.id, i.namespace, i.name, i.function_uid, i.epoch, i.publishes, i.trace \
    FROM outbox o JOIN invocations i ON i.id = o.invocation WHERE o.due_at <= $1 ORDER BY o.due_at, o.seq LIMIT $2";

pub(super) const NEXT: &str = "SELECT min(due_at) FROM outbox";

// `json_each` takes any number of rows in one prepared statement.
/// Only of calls that still wait: a claimed one is counted anew.
const MARK: &str = "UPDATE invocations SET publishes = publishes + 1, last_published_at = $2 \
    WHERE state IN (0, 2) AND id IN (SELECT invocation FROM outbox WHERE seq IN (SELECT value FROM json_each($1)))";
const DONE: &str = "DELETE FROM outbox WHERE seq IN (SELECT value FROM json_each($1))";

const MISSED: &str = "SELECT id, not_before FROM invocations \
    WHERE state < 3 AND state IN (0, 2) AND last_published_at < $1 \
    AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.invocation = invocations.id) LIMIT $2";
const MISSED_OF: &str = "SELECT id, not_before FROM invocations INDEXED BY invocations_live \
    WHERE state < 3 AND namespace = $3 AND name = $4 AND state IN (0, 2) AND last_published_at < $1 \
    AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.invocation = invocations.id) LIMIT $2";

pub(super) const PUBLISHED: &str = "SELECT count(*) FROM invocations INDEXED BY invocations_live \
    WHERE state < 3 AND namespace = $2 AND name = $3 AND state IN (0, 2) AND last_published_at < $1 \
    AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.invocation = invocations.id)";

pub(super) fn read_due(row: &SqliteRow) -> Outcome<OutboxRow> {
    let publishes: i64 = row.try_get(6)?;
    Ok(OutboxRow {
        seq: row.try_get(0)?,
        message: Message {
            invocation: read_id(row.try_get(1)?)?,
            function: read_key(row.try_get(2)?, row.try_get(3)?)?,
            function_uid: read_uid(row.try_get(4)?)?,
            epoch: Epoch(row.try_get(5)?),
            publish: u32::try_from(publishes).unwrap_or(u32::MAX).saturating_add(1),
            trace: read_trace(row.try_get(7)?)?,
        },
    })
}

pub(super) async fn done(tx: &mut Tx, seqs: Vec<i64>) -> Outcome<()> {
    let seqs = serde_json::Value::from(seqs).to_string();
    let now = tx.now().as_micros();
    sqlx::query(MARK).bind(seqs.as_str()).bind(now).execute(&mut tx.conn).await?;
    sqlx::query(DONE).bind(seqs.as_str()).execute(&mut tx.conn).await?;
    Ok(())
}

pub(super) async fn republish(
    tx: &mut Tx,
    function: Option<&FunctionKey>,
    before: Timestamp,
    limit: u32,
) -> Outcome<u64> {
    let mut query =
        sqlx::query(if function.is_some() { MISSED_OF } else { MISSED }).bind(before.as_micros()).bind(limit);
    if let Some(function) = function {
        query = query.bind(function.namespace.as_str()).bind(function.name.as_str());
    }
    let mut due = Vec::new();
    for row in query.fetch_all(&mut tx.conn).await? {
        due.push((read_id(row.try_get(0)?)?, Timestamp::from_micros(row.try_get(1)?)));
    }
    publish(tx, &due).await?;
    Ok(due.len() as u64)
}

/// Writes outbox rows; one that is there for the same call is replaced under a new seq.
pub(super) async fn publish(tx: &mut Tx, due: &[(InvocationId, Timestamp)]) -> Outcome<()> {
    OUTBOX
        .run(&mut tx.conn, due, |args, (id, at)| {
            args.add(id_bytes(*id))?;
            args.add(at.as_micros())
        })
        .await
}
