//! Attempts as rows.

use super::codes;
use super::fault::Outcome;
use super::insert::MultiInsert;
use super::record::{bind_failure, hex_ids, id_bytes, read_attempt, read_id};
use eventflow_domain::{Attempt, InvocationId, Timestamp};
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments as _, Row as _};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

const COLUMNS: &str = "invocation, number, epoch, version, worker, started_at, ended_at, start, outcome, exit_code, \
                       reason, message, retry_after";

static INSERT: LazyLock<MultiInsert> =
    LazyLock::new(|| MultiInsert::new("INSERT INTO attempts", COLUMNS, ""));

const OF_CALL: &str = "SELECT invocation, number, epoch, version, worker, started_at, ended_at, start, outcome, \
                       exit_code, reason, message, retry_after FROM attempts WHERE invocation = $1 ORDER BY number";

const OF_CALLS: &str = "SELECT invocation, number, epoch, version, worker, started_at, ended_at, start, outcome, \
                        exit_code, reason, message, retry_after FROM attempts \
                        WHERE invocation IN (SELECT unhex(value) FROM json_each($1)) ORDER BY invocation, number";

pub(super) async fn insert(conn: &mut SqliteConnection, rows: &[(InvocationId, Attempt)]) -> Outcome<()> {
    INSERT.run(conn, rows, |args, (id, attempt)| bind(args, *id, attempt)).await
}

fn bind(
    args: &mut SqliteArguments,
    id: InvocationId,
    attempt: &Attempt,
) -> Result<(), sqlx::error::BoxDynError> {
    args.add(id_bytes(id))?;
    args.add(attempt.number)?;
    args.add(attempt.epoch.0)?;
    args.add(attempt.version.0)?;
    args.add(Arc::clone(&attempt.worker.0))?;
    args.add(attempt.started_at.as_micros())?;
    args.add(attempt.ended_at.map(Timestamp::as_micros))?;
    args.add(attempt.start.map(codes::start))?;
    args.add(attempt.outcome.map(codes::state))?;
    args.add(attempt.exit_code)?;
    bind_failure(args, attempt.failure.as_ref())
}

/// In the order of their numbers.
pub(super) async fn of_call(conn: &mut SqliteConnection, id: InvocationId) -> Outcome<Vec<Attempt>> {
    let rows = sqlx::query(OF_CALL).bind(id_bytes(id)).fetch_all(conn).await?;
    rows.iter().map(|row| read_attempt(row, 1)).collect()
}

/// Reads those of many calls, each into its place.
pub(super) async fn read_all(
    conn: &mut SqliteConnection,
    mut places: HashMap<InvocationId, &mut Vec<Attempt>>,
) -> Outcome<()> {
    if places.is_empty() {
        return Ok(());
    }
    let ids = hex_ids(places.keys().copied());
    for row in sqlx::query(OF_CALLS).bind(ids).fetch_all(conn).await? {
        if let Some(place) = places.get_mut(&read_id(row.try_get(0)?)?) {
            place.push(read_attempt(&row, 1)?);
        }
    }
    Ok(())
}
