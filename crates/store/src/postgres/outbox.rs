//! The outbox: which calls are to be told to the bus, when, and by which process.

use super::arrays::column;
use super::shared::cells::Cells;
use super::shared::fault::Outcome;
use super::shared::record::{micros, read_id, read_key, read_trace, read_uid, trace_bytes};
use super::tx::Tx;
use eventflow_domain::ports::{Message, OutboxRow};
use eventflow_domain::{Epoch, FunctionKey, Invocation, InvocationId, Timestamp};
use sqlx::postgres::{PgConnection, PgRow};

/// Rows whose holder did not publish them in time.
const TAKE: &str = "UPDATE outbox SET holder = $1, free_at = $2 + $3 WHERE invocation IN (SELECT invocation \
    FROM outbox WHERE published_at IS NULL AND free_at <= $2 ORDER BY free_at LIMIT $4 FOR UPDATE SKIP LOCKED)";

const DUE: &str = "SELECT seq, invocation, namespace, name, function_uid, epoch, publishes, trace FROM outbox \
    WHERE published_at IS NULL AND holder = $1 AND due_at <= $2 ORDER BY due_at, seq LIMIT $3";

/// Ours when they are due, those of others when they are free.
const NEXT: &str = "SELECT least((SELECT min(due_at) FROM outbox WHERE published_at IS NULL AND holder = $1), \
    (SELECT min(free_at) FROM outbox WHERE published_at IS NULL))";

/// One that another transaction holds is being claimed or taken over: then this need not be said. (Said so that the
/// planner takes the key, not the index of all that is unpublished.)
const DONE: &str = "WITH held AS MATERIALIZED (SELECT invocation FROM outbox WHERE seq = ANY($1) \
    AND coalesce(published_at, 0) = 0 FOR UPDATE SKIP LOCKED) \
    UPDATE outbox o SET published_at = $2, publishes = publishes + 1 FROM held \
    WHERE o.invocation = held.invocation AND o.seq = ANY($1)";

const AGAIN: &str = "UPDATE outbox SET seq = nextval('outbox_seq'), published_at = NULL, holder = $2, \
    free_at = greatest(due_at, $3) + $4 WHERE invocation IN (SELECT invocation FROM outbox \
    WHERE published_at < $1 AND published_at IS NOT NULL ORDER BY published_at LIMIT $5 FOR UPDATE SKIP LOCKED)";
const AGAIN_OF: &str = "UPDATE outbox SET seq = nextval('outbox_seq'), published_at = NULL, holder = $2, \
    free_at = greatest(due_at, $3) + $4 WHERE invocation IN (SELECT invocation FROM outbox \
    WHERE published_at < $1 AND published_at IS NOT NULL AND namespace = $6 AND name = $7 \
    ORDER BY published_at LIMIT $5 FOR UPDATE SKIP LOCKED)";

const PUBLISHED: &str = "SELECT count(*) FROM outbox \
    WHERE published_at < $1 AND published_at IS NOT NULL AND namespace = $2 AND name = $3";

const PUBLISH: &str = "INSERT INTO outbox (invocation, due_at, free_at, holder, namespace, name, function_uid, epoch, \
    trace) SELECT id, due_at, greatest(due_at, $8) + $9, $10, namespace, name, uid, epoch, trace \
    FROM unnest($1, $2, $3, $4, $5, $6, $7) AS u (id, due_at, namespace, name, uid, epoch, trace) \
    ON CONFLICT (invocation) DO UPDATE SET seq = nextval('outbox_seq'), due_at = excluded.due_at, \
    free_at = excluded.free_at, holder = excluded.holder, epoch = excluded.epoch, publishes = 0, published_at = NULL";

const REMOVE: &str = "DELETE FROM outbox WHERE invocation = ANY($1)";

/// Who holds the rows written here, and how many microseconds long.
pub(super) fn claim(tx: &Tx) -> (i64, i64) {
    if tx.options.relay { (tx.holder, micros(tx.options.hold)) } else { (0, 0) }
}

pub(super) async fn due(tx: &mut Tx, limit: u32) -> Outcome<Vec<OutboxRow>> {
    let (now, limit) = (tx.now.as_micros(), i64::from(limit));
    let hold = micros(tx.options.hold);
    let taken =
        sqlx::query(TAKE).bind(tx.holder).bind(now).bind(hold).bind(limit).execute(&mut tx.conn).await?;
    tx.unchanged = taken.rows_affected() == 0;
    let rows = sqlx::query(DUE).bind(tx.holder).bind(now).bind(limit).fetch_all(&mut tx.conn).await?;
    rows.iter().map(read).collect()
}

fn read(row: &PgRow) -> Outcome<OutboxRow> {
    let publishes: u32 = row.number(6)?;
    Ok(OutboxRow {
        seq: row.int(0)?,
        message: Message {
            invocation: read_id(row.bytes(1)?)?,
            function: read_key(row.text(2)?, row.text(3)?)?,
            function_uid: read_uid(row.bytes(4)?)?,
            epoch: Epoch(row.int(5)?),
            publish: publishes.saturating_add(1),
            trace: read_trace(row.bytes(7)?)?,
        },
    })
}

pub(super) async fn next(conn: &mut PgConnection, holder: i64) -> Outcome<Option<Timestamp>> {
    let row = sqlx::query(NEXT).bind(holder).fetch_one(conn).await?;
    Ok(row.maybe_int(0)?.map(Timestamp::from_micros))
}

pub(super) async fn done(tx: &mut Tx, seqs: &[i64]) -> Outcome<()> {
    sqlx::query(DONE).bind(seqs).bind(tx.now.as_micros()).execute(&mut tx.conn).await?;
    if tx.options.unboxed {
        sqlx::query("DELETE FROM outbox WHERE seq = ANY($1)").bind(seqs).execute(&mut tx.conn).await?;
    }
    Ok(())
}

pub(super) async fn republish(
    tx: &mut Tx,
    function: Option<&FunctionKey>,
    before: Timestamp,
    limit: u32,
) -> Outcome<u64> {
    let (holder, hold) = claim(tx);
    let mut query = sqlx::query(if function.is_some() { AGAIN_OF } else { AGAIN })
        .bind(before.as_micros())
        .bind(holder)
        .bind(tx.now.as_micros())
        .bind(hold)
        .bind(i64::from(limit));
    if let Some(function) = function {
        query = query.bind(function.namespace.as_str()).bind(function.name.as_str());
    }
    Ok(query.execute(&mut tx.conn).await?.rows_affected())
}

pub(super) async fn published(
    conn: &mut PgConnection,
    function: FunctionKey,
    before: Timestamp,
) -> Outcome<u64> {
    let query = sqlx::query(PUBLISHED).bind(before.as_micros());
    let query = query.bind(function.namespace.as_str()).bind(function.name.as_str());
    Ok(query.fetch_one(conn).await?.int(0)?.max(0) as u64)
}

/// Writes rows for calls that wait again; one that is there for the same call is replaced under a new seq.
pub(super) async fn publish(tx: &mut Tx, due: &[(&Invocation, Timestamp)]) -> Outcome<()> {
    if due.is_empty() {
        return Ok(());
    }
    let (holder, hold) = claim(tx);
    sqlx::query(PUBLISH)
        .bind(column(due, |(call, _)| call.id.as_uuid()))
        .bind(column(due, |(_, at)| at.as_micros()))
        .bind(column(due, |(call, _)| call.function.namespace.as_str()))
        .bind(column(due, |(call, _)| call.function.name.as_str()))
        .bind(column(due, |(call, _)| call.function_uid.as_uuid()))
        .bind(column(due, |(call, _)| call.lifecycle.epoch.0))
        .bind(column(due, |(call, _)| trace_bytes(call.trace)))
        .bind(tx.now.as_micros())
        .bind(hold)
        .bind(holder)
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}

pub(super) async fn remove(tx: &mut Tx, ids: Vec<InvocationId>) -> Outcome<()> {
    if !ids.is_empty() {
        let ids = column(&ids, |id| id.as_uuid());
        sqlx::query(REMOVE).bind(ids).execute(&mut tx.conn).await?;
    }
    Ok(())
}
