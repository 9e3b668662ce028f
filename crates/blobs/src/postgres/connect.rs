//! Connections, the schema, and what is asserted of the server before any is used.

use super::{OpenError, Options};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use std::str::FromStr as _;
use std::time::Duration;

/// Each is applied once, in order.
const MIGRATIONS: [&str; 1] = [include_str!("../../migrations/0001_blobs.sql")];

/// Any number that no other program takes a lock by.
const LOCK: i64 = 0x0065_7665_6e74_626c;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS eventflow_blob_schema (version integer NOT NULL)";

/// Longest wait for a connection at start, and for another process that migrates.
const START: Duration = Duration::from_secs(30);

/// What every connection asks of the server. A statement that waits for a lock gives up before it is given up.
pub(super) fn parse(url: &str, options: &Options) -> Result<PgConnectOptions, OpenError> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(OpenError::Url(sqlx::Error::Configuration("it is not a postgres:// URL".into())));
    }
    let connect = PgConnectOptions::from_str(url).map_err(OpenError::Url)?;
    let statement = options.statement().as_millis().max(1);
    Ok(connect
        .application_name("eventflow-blobs")
        .options([
            ("statement_timeout", statement.to_string()),
            ("lock_timeout", (statement * 2 / 3).max(1).to_string()),
            ("idle_in_transaction_session_timeout", statement.to_string()),
            // The server lets go of what a vanished client held.
            ("tcp_user_timeout", "15000".to_owned()),
            ("tcp_keepalives_idle", "5".to_owned()),
            ("tcp_keepalives_interval", "5".to_owned()),
            ("tcp_keepalives_count", "2".to_owned()),
            ("client_connection_check_interval", "5000".to_owned()),
        ])
        .disable_statement_logging())
}

/// Opened when needed, tested before use: it heals by itself after the server was away.
pub(super) fn pool(connect: PgConnectOptions, options: &Options) -> PgPool {
    PgPoolOptions::new()
        .min_connections(0)
        .max_connections(options.connections.max(1))
        .acquire_timeout(options.statement())
        .idle_timeout(Duration::from_secs(60))
        .max_lifetime(Duration::from_secs(1800))
        .test_before_acquire(true)
        .connect_lazy_with(connect)
}

pub(super) async fn prepare(connect: &PgConnectOptions, options: &Options) -> Result<(), OpenError> {
    let start = async {
        let mut conn = connect.connect().await.map_err(OpenError::Database)?;
        assert_durable(&mut conn, options).await?;
        migrate(&mut conn).await
    };
    let late = || OpenError::Database(sqlx::Error::PoolTimedOut);
    tokio::time::timeout(START * 2, start).await.map_err(|_| late())?
}

async fn assert_durable(conn: &mut PgConnection, options: &Options) -> Result<(), OpenError> {
    if setting(conn, "transaction_read_only").await? != "off" {
        return Err(OpenError::ReadOnly);
    }
    let found = setting(conn, "synchronous_commit").await?;
    if !matches!(found.as_str(), "on" | "remote_apply") {
        let wanted = "on or remote_apply";
        return Err(OpenError::NotDurable { setting: "synchronous_commit", found, wanted });
    }
    let found = setting(conn, "fsync").await?;
    if found != "on" && !options.forgetful {
        return Err(OpenError::NotDurable { setting: "fsync", found, wanted: "on" });
    }
    Ok(())
}

async fn setting(conn: &mut PgConnection, name: &'static str) -> Result<String, OpenError> {
    let query = sqlx::query_scalar(AssertSqlSafe(format!("SHOW {name}")));
    query.fetch_one(conn).await.map_err(OpenError::Database)
}

/// Brings the schema up to date in one transaction. Where many start at once, one does and the others wait.
async fn migrate(conn: &mut PgConnection) -> Result<(), OpenError> {
    let mut tx = conn.begin().await.map_err(OpenError::Database)?;
    let alone = format!(
        "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = {}; SELECT pg_advisory_xact_lock({LOCK})",
        START.as_millis()
    );
    sqlx::raw_sql(AssertSqlSafe(alone)).execute(&mut *tx).await.map_err(OpenError::Database)?;
    sqlx::raw_sql(TABLE).execute(&mut *tx).await.map_err(OpenError::Database)?;
    let stored = sqlx::query_scalar("SELECT version FROM eventflow_blob_schema").fetch_optional(&mut *tx);
    let found: i32 = stored.await.map_err(OpenError::Database)?.unwrap_or(0);
    let known = MIGRATIONS.len() as i32;
    if found > known {
        return Err(OpenError::NewerSchema { found, known });
    }
    for (number, sql) in (1..).zip(MIGRATIONS).skip(usize::try_from(found).unwrap_or(0)) {
        let failed = |source| OpenError::Migration { number, source };
        sqlx::raw_sql(sql).execute(&mut *tx).await.map_err(failed)?;
    }
    if found < known {
        let record =
            format!("DELETE FROM eventflow_blob_schema; INSERT INTO eventflow_blob_schema VALUES ({known})");
        sqlx::raw_sql(AssertSqlSafe(record)).execute(&mut *tx).await.map_err(OpenError::Database)?;
    }
    tx.commit().await.map_err(OpenError::Database)
}
