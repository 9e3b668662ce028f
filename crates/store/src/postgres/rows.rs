//! Records as rows: inserted and changed many at a time.

use super::arrays::column;
use super::codes;
use super::shared::cells::Cells;
use super::shared::fault::{Fault, Outcome};
use super::shared::new::waits;
use super::shared::order::{Step, overtaken};
use super::shared::record::{
    self, BLOB, INLINE, NONE, Record, columns, micros, read_attempt, read_id, trace_bytes,
};
use super::tx::Tx;
use eventflow_domain::{Body, Failure, Invocation, InvocationId, Timestamp};
use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::query::Query;
use std::collections::{HashMap, HashSet};

/// With its attempts, a row for each, in one snapshot.
const GET: &str = concat!(
    "SELECT * FROM (SELECT ",
    columns!("0 AS publishes", "payload_kind, payload", "result_kind, result"),
    " FROM invocations WHERE id = $1) i LEFT JOIN (SELECT number, epoch, version, worker, started_at, ended_at, ",
    "start, outcome, exit_code, reason, message, retry_after FROM attempts WHERE invocation = $1) a ON true ",
    "ORDER BY number"
);
/// Where the attempt stands in it.
const ATTEMPT: usize = 37;

const GET_MANY: &str = concat!(
    "SELECT ",
    columns!("0 AS publishes", "payload_kind, payload", "result_kind, result"),
    " FROM invocations WHERE id = ANY($1)"
);

/// In the order of ids, as everywhere: no two transactions wait for each other's rows.
const LOCK_MANY: &str = concat!(
    "SELECT ",
    columns!("0 AS publishes", "payload_kind, payload", "result_kind, result"),
    " FROM invocations WHERE id = ANY($1) ORDER BY id FOR UPDATE"
);

/// Inserts the rows of $1 to $36 as `new`; `$room` may hold them back. An id that is there already is left as it is.
macro_rules! insert_new {
    ($room:literal) => {
        concat!(
            "new AS (INSERT INTO invocations (id, namespace, name, function_uid, version, source, caller, replay_of, ",
            "trace, state, epoch, attempts, lost, not_before, cancel_requested, dead_letter, created_at, started_at, ",
            "ended_at, reason, message, retry_after, http_status, logs_truncated, worker, lease_until, start, ",
            "run_micros, payload_size, payload_type, result_size, result_type, payload_kind, payload, result_kind, ",
            "result) SELECT u.* FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, ",
            "$17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36) AS u",
            $room,
            " ON CONFLICT (id) DO NOTHING ",
            "RETURNING id, namespace, name, function_uid, state, epoch, not_before, trace)"
        )
    };
}

/// With the outbox rows of those that wait. Returns the ids of those that were not there.
const INSERT: &str = concat!(
    "WITH ",
    insert_new!(""),
    ", due AS (INSERT INTO outbox (invocation, due_at, free_at, holder, namespace, name, function_uid, epoch, trace) ",
    "SELECT id, not_before, greatest(not_before, $37) + $38, $39, namespace, name, function_uid, epoch, trace ",
    "FROM new WHERE state IN (0, 2)) SELECT id FROM new"
);

pub(super) use insert_new;

const UPDATE: &str = "UPDATE invocations i SET state = u.state, epoch = u.epoch, attempts = u.attempts, \
    lost = u.lost, not_before = u.not_before, cancel_requested = u.cancel_requested, dead_letter = u.dead_letter, \
    started_at = u.started_at, ended_at = u.ended_at, reason = u.reason, message = u.message, \
    retry_after = u.retry_after, http_status = u.http_status, logs_truncated = u.logs_truncated, worker = u.worker, \
    lease_until = u.lease_until, start = u.start, run_micros = u.run_micros, \
    result_size = CASE WHEN u.ends THEN u.result_size ELSE i.result_size END, \
    result_type = CASE WHEN u.ends THEN u.result_type ELSE i.result_type END, \
    result_kind = CASE WHEN u.ends THEN u.result_kind ELSE i.result_kind END, \
    result = CASE WHEN u.ends THEN u.result ELSE i.result END, \
    payload_kind = CASE WHEN u.drops THEN 0 ELSE i.payload_kind END, \
    payload = CASE WHEN u.drops THEN NULL ELSE i.payload END \
    FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, \
    $23, $24, $25, $26) AS u (id, read_epoch, state, epoch, attempts, lost, not_before, cancel_requested, \
    dead_letter, started_at, ended_at, reason, message, retry_after, http_status, logs_truncated, worker, \
    lease_until, start, run_micros, ends, drops, result_size, result_type, result_kind, result) \
    WHERE i.id = u.id AND i.epoch = u.read_epoch";

/// The record whole.
pub(super) async fn get(conn: &mut PgConnection, id: InvocationId) -> Outcome<Option<Invocation>> {
    let rows = sqlx::query(GET).bind(id.as_uuid()).fetch_all(conn).await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let mut call = record::read(first)?.invocation;
    if first.maybe_int(ATTEMPT)?.is_some() {
        call.attempts = rows.iter().map(|row| read_attempt(row, ATTEMPT)).collect::<Outcome<_>>()?;
    }
    Ok(Some(call))
}

/// The records as they are now, without attempts.
pub(super) async fn load(tx: &mut Tx, ids: Vec<InvocationId>) -> Outcome<HashMap<InvocationId, Record>> {
    fetch(tx, GET_MANY, ids).await
}

/// The same, held until the end of the transaction.
pub(super) async fn lock(tx: &mut Tx, ids: Vec<InvocationId>) -> Outcome<HashMap<InvocationId, Record>> {
    fetch(tx, LOCK_MANY, ids).await
}

async fn fetch(
    tx: &mut Tx,
    sql: &'static str,
    ids: Vec<InvocationId>,
) -> Outcome<HashMap<InvocationId, Record>> {
    let ids = column(&ids, |id| id.as_uuid());
    let rows = sqlx::query(sql).bind(ids).fetch_all(&mut tx.conn).await?;
    let mut records = HashMap::with_capacity(rows.len());
    for row in &rows {
        let record = record::read(row)?;
        records.insert(record.invocation.id, record);
    }
    Ok(records)
}

/// Inserts the records with their outbox rows. Returns the ids of those that were not there.
pub(super) async fn insert(tx: &mut Tx, records: &[Record]) -> Outcome<HashSet<InvocationId>> {
    if records.is_empty() {
        return Ok(HashSet::new());
    }
    let (holder, hold) = super::outbox::claim(tx);
    let query = bind(INSERT, records).bind(tx.now.as_micros()).bind(hold).bind(holder);
    let rows = query.fetch_all(&mut tx.conn).await?;
    let new = rows.iter().map(|row| read_id(row.bytes(0)?)).collect::<Outcome<HashSet<_>>>()?;
    let calls = records.iter().map(|record| &record.invocation);
    for call in calls.filter(|call| waits(call.state()) && new.contains(&call.id)) {
        tx.moved(call.function_uid, None, call.state());
    }
    Ok(new)
}

/// The columns of [`insert_new`], in the order of ids.
pub(super) fn bind<'q>(sql: &'static str, records: &'q [Record]) -> Query<'q, Postgres, PgArguments> {
    let mut rows: Vec<&Record> = records.iter().collect();
    rows.sort_unstable_by_key(|row| row.invocation.id);
    let calls: Vec<&Invocation> = rows.iter().map(|row| &row.invocation).collect();
    let calls = calls.as_slice();
    sqlx::query(sql)
        .bind(column(calls, |call| call.id.as_uuid()))
        .bind(column(calls, |call| call.function.namespace.as_str()))
        .bind(column(calls, |call| call.function.name.as_str()))
        .bind(column(calls, |call| call.function_uid.as_uuid()))
        .bind(column(calls, |call| call.version.0))
        .bind(column(calls, |call| call.source.as_str()))
        .bind(column(calls, |call| &*call.caller))
        .bind(column(calls, |call| call.replay_of.map(InvocationId::as_uuid)))
        .bind(column(calls, |call| trace_bytes(call.trace)))
        .bind(column(calls, |call| codes::state(call.state()) as i16))
        .bind(column(calls, |call| call.lifecycle.epoch.0))
        .bind(column(calls, |call| call.lifecycle.attempts as i32))
        .bind(column(calls, |call| call.lifecycle.lost as i32))
        .bind(column(calls, |call| call.lifecycle.not_before.as_micros()))
        .bind(column(calls, |call| call.lifecycle.cancel_requested))
        .bind(column(calls, |call| call.lifecycle.dead_letter))
        .bind(column(calls, |call| call.created_at.as_micros()))
        .bind(column(calls, |call| call.started_at.map(Timestamp::as_micros)))
        .bind(column(calls, |call| call.ended_at.map(Timestamp::as_micros)))
        .bind(column(calls, |call| reason(call.failure.as_ref())))
        .bind(column(calls, |call| message(call.failure.as_ref())))
        .bind(column(calls, |call| retry_after(call.failure.as_ref())))
        .bind(column(calls, |call| call.http_status.map(i32::from)))
        .bind(column(calls, |call| call.logs_truncated))
        .bind(column(&rows, |row| row.worker.as_deref()))
        .bind(column(&rows, |row| row.lease_until.map(Timestamp::as_micros)))
        .bind(column(&rows, |row| row.invocation.start.map(|start| codes::start(start) as i16)))
        .bind(column(&rows, |row| row.run.map(micros)))
        .bind(column(calls, |call| call.payload.size as i64))
        .bind(column(calls, |call| call.payload.content_type.as_deref()))
        .bind(column(calls, |call| call.result.size as i64))
        .bind(column(calls, |call| call.result.content_type.as_deref()))
        .bind(column(calls, |call| kind(&call.payload.body)))
        .bind(column(calls, |call| bytes(&call.payload.body)))
        .bind(column(calls, |call| kind(&call.result.body)))
        .bind(column(calls, |call| bytes(&call.result.body)))
}

/// Writes what the steps changed. A record that another has changed since it was read makes all fail.
pub(super) async fn update(tx: &mut Tx, steps: &[Step]) -> Outcome<()> {
    let life = |step: &Step| step.record.invocation.lifecycle;
    let done = sqlx::query(UPDATE)
        .bind(column(steps, |step| step.record.invocation.id.as_uuid()))
        .bind(column(steps, |step| step.change.read_epoch.0))
        .bind(column(steps, |step| codes::state(life(step).state) as i16))
        .bind(column(steps, |step| life(step).epoch.0))
        .bind(column(steps, |step| life(step).attempts as i32))
        .bind(column(steps, |step| life(step).lost as i32))
        .bind(column(steps, |step| life(step).not_before.as_micros()))
        .bind(column(steps, |step| life(step).cancel_requested))
        .bind(column(steps, |step| life(step).dead_letter))
        .bind(column(steps, |step| step.record.invocation.started_at.map(Timestamp::as_micros)))
        .bind(column(steps, |step| step.record.invocation.ended_at.map(Timestamp::as_micros)))
        .bind(column(steps, |step| reason(step.record.invocation.failure.as_ref())))
        .bind(column(steps, |step| message(step.record.invocation.failure.as_ref())))
        .bind(column(steps, |step| retry_after(step.record.invocation.failure.as_ref())))
        .bind(column(steps, |step| step.record.invocation.http_status.map(i32::from)))
        .bind(column(steps, |step| step.record.invocation.logs_truncated))
        .bind(column(steps, |step| step.record.worker.as_deref()))
        .bind(column(steps, |step| step.record.lease_until.map(Timestamp::as_micros)))
        .bind(column(steps, |step| step.record.invocation.start.map(|start| codes::start(start) as i16)))
        .bind(column(steps, |step| step.record.run.map(micros)))
        .bind(column(steps, |step| step.change.end.is_some()))
        .bind(column(steps, |step| step.change.end == Some(true)))
        .bind(column(steps, |step| step.record.invocation.result.size as i64))
        .bind(column(steps, |step| step.record.invocation.result.content_type.as_deref()))
        .bind(column(steps, |step| kind(&step.record.invocation.result.body)))
        .bind(column(steps, |step| step.change.end.and_then(|_| bytes(&step.record.invocation.result.body))))
        .execute(&mut tx.conn)
        .await?;
    if done.rows_affected() != steps.len() as u64 {
        return Err(Fault::Refused(overtaken()));
    }
    for step in steps {
        let call = &step.record.invocation;
        tx.moved(call.function_uid, Some(step.change.from), call.state());
    }
    Ok(())
}

pub(super) fn reason(failure: Option<&Failure>) -> Option<&'static str> {
    failure.map(|failure| failure.reason.as_str())
}

pub(super) fn message(failure: Option<&Failure>) -> Option<&[u8]> {
    failure.map(|failure| failure.message.as_bytes())
}

pub(super) fn retry_after(failure: Option<&Failure>) -> Option<i64> {
    failure.and_then(|failure| failure.retry_after).map(micros)
}

fn kind(body: &Body) -> i16 {
    match body {
        Body::None => NONE,
        Body::Inline(_) => INLINE,
        Body::Blob(_) => BLOB,
    }
}

/// The bytes themselves, or the key of the blob.
fn bytes(body: &Body) -> Option<&[u8]> {
    match body {
        Body::None => None,
        Body::Inline(bytes) => Some(bytes),
        Body::Blob(key) => Some(key.as_bytes()),
    }
}
