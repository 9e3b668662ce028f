//! The schema.

use super::OpenError;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use std::time::Duration;

/// Each is applied once, in order.
const MIGRATIONS: [&str; 6] = [
    include_str!("../../migrations/postgres/0001_record.sql"),
    include_str!("../../migrations/postgres/0002_shared_functions.sql"),
    include_str!("../../migrations/postgres/0003_slots.sql"),
    include_str!("../../migrations/postgres/0004_function_revision.sql"),
    include_str!("../../migrations/postgres/0005_ended_by_time.sql"),
    include_str!("../../migrations/postgres/0006_slots_used.sql"),
];

/// The oldest schema whose programs can work with the newest one. During an update both run: a migration that breaks
/// the version before raises this, and is shipped one version after the code that can do without what it removes.
const READABLE_BY: i32 = 1;

/// Any number that no other program takes a lock by.
const LOCK: i64 = 0x0065_7665_6e74_666c;

const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS eventflow_schema (version integer NOT NULL, readable_by integer NOT NULL)";

/// Brings the schema up to date in one transaction. Where many start at once, one does and the others wait up to `wait`.
pub(super) async fn run(conn: &mut PgConnection, wait: Duration) -> Result<(), OpenError> {
    let mut tx = conn.begin().await.map_err(OpenError::Database)?;
    let millis = wait.as_millis();
    let settings = format!(
        "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = {millis}; SELECT pg_advisory_xact_lock({LOCK})"
    );
    sqlx::raw_sql(AssertSqlSafe(settings)).execute(&mut *tx).await.map_err(OpenError::Database)?;
    sqlx::raw_sql(TABLE).execute(&mut *tx).await.map_err(OpenError::Database)?;
    let stored: Option<(i32, i32)> = sqlx::query_as("SELECT version, readable_by FROM eventflow_schema")
        .fetch_optional(&mut *tx)
        .await
        .map_err(OpenError::Database)?;
    let known = MIGRATIONS.len() as i32;
    let (found, oldest) = stored.unwrap_or((0, READABLE_BY));
    if found > known {
        return if oldest <= known { Ok(()) } else { Err(OpenError::NewerSchema { found, known, oldest }) };
    }
    for (number, sql) in (1..).zip(MIGRATIONS).skip(usize::try_from(found).unwrap_or(0)) {
        let failed = |source| OpenError::Migration { number, source };
        sqlx::raw_sql(sql).execute(&mut *tx).await.map_err(failed)?;
    }
    let record =
        format!("DELETE FROM eventflow_schema; INSERT INTO eventflow_schema VALUES ({known}, {READABLE_BY})");
    if found < known {
        sqlx::raw_sql(AssertSqlSafe(record)).execute(&mut *tx).await.map_err(OpenError::Database)?;
    }
    tx.commit().await.map_err(OpenError::Database)
}
