//! Attempts as rows.

use super::arrays::column;
use super::codes;
use super::rows::{message, reason, retry_after};
use super::shared::cells::Cells;
use super::shared::fault::Outcome;
use super::shared::record::{read_attempt, read_id};
use super::shared::transition::Closed;
use eventflow_domain::{Attempt, InvocationId, Timestamp};
use sqlx::postgres::PgConnection;
use std::collections::HashMap;

const INSERT: &str = "INSERT INTO attempts (invocation, number, epoch, version, worker, started_at, ended_at, start, \
    outcome, exit_code, reason, message, retry_after) \
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";

const CLOSE: &str = "UPDATE attempts a SET started_at = coalesce(u.started_at, a.started_at), ended_at = u.ended_at, \
    start = u.start, outcome = u.outcome, exit_code = u.exit_code, reason = u.reason, message = u.message, \
    retry_after = u.retry_after FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
    AS u (id, number, started_at, ended_at, start, outcome, exit_code, reason, message, retry_after) \
    WHERE a.invocation = u.id AND a.number = u.number AND a.ended_at IS NULL";

const OF_CALLS: &str = "SELECT invocation, number, epoch, version, worker, started_at, ended_at, start, outcome, \
    exit_code, reason, message, retry_after FROM attempts WHERE invocation = ANY($1) ORDER BY invocation, number";

pub(super) async fn insert(conn: &mut PgConnection, rows: &[(InvocationId, &Attempt)]) -> Outcome<()> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(INSERT)
        .bind(column(rows, |(id, _)| id.as_uuid()))
        .bind(column(rows, |(_, attempt)| attempt.number as i32))
        .bind(column(rows, |(_, attempt)| attempt.epoch.0))
        .bind(column(rows, |(_, attempt)| attempt.version.0))
        .bind(column(rows, |(_, attempt)| attempt.worker.as_str()))
        .bind(column(rows, |(_, attempt)| attempt.started_at.as_micros()))
        .bind(column(rows, |(_, attempt)| attempt.ended_at.map(Timestamp::as_micros)))
        .bind(column(rows, |(_, attempt)| attempt.start.map(|start| codes::start(start) as i16)))
        .bind(column(rows, |(_, attempt)| attempt.outcome.map(|state| codes::state(state) as i16)))
        .bind(column(rows, |(_, attempt)| attempt.exit_code))
        .bind(column(rows, |(_, attempt)| reason(attempt.failure.as_ref())))
        .bind(column(rows, |(_, attempt)| message(attempt.failure.as_ref())))
        .bind(column(rows, |(_, attempt)| retry_after(attempt.failure.as_ref())))
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends attempts. Whether every one was there and open.
pub(super) async fn close(conn: &mut PgConnection, rows: &[(InvocationId, &Closed)]) -> Outcome<bool> {
    if rows.is_empty() {
        return Ok(true);
    }
    let done = sqlx::query(CLOSE)
        .bind(column(rows, |(id, _)| id.as_uuid()))
        .bind(column(rows, |(_, end)| end.attempt.number as i32))
        .bind(column(rows, |(_, end)| end.started_at.map(Timestamp::as_micros)))
        .bind(column(rows, |(_, end)| end.attempt.ended_at.map(Timestamp::as_micros)))
        .bind(column(rows, |(_, end)| end.attempt.start.map(|start| codes::start(start) as i16)))
        .bind(column(rows, |(_, end)| end.attempt.outcome.map(|state| codes::state(state) as i16)))
        .bind(column(rows, |(_, end)| end.attempt.exit_code))
        .bind(column(rows, |(_, end)| reason(end.attempt.failure.as_ref())))
        .bind(column(rows, |(_, end)| message(end.attempt.failure.as_ref())))
        .bind(column(rows, |(_, end)| retry_after(end.attempt.failure.as_ref())))
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == rows.len() as u64)
}

/// Reads those of many calls, each into its place, in the order of their numbers.
pub(super) async fn read_all(
    conn: &mut PgConnection,
    mut places: HashMap<InvocationId, &mut Vec<Attempt>>,
) -> Outcome<()> {
    if places.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = places.keys().map(|id| id.as_uuid()).collect();
    for row in sqlx::query(OF_CALLS).bind(ids).fetch_all(conn).await? {
        if let Some(place) = places.get_mut(&read_id(row.bytes(0)?)?) {
            place.push(read_attempt(&row, 1)?);
        }
    }
    Ok(())
}
