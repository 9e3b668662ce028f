//! Connections, and what is asserted of the server before any is used.

use super::{OpenError, Options, migrate};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use std::str::FromStr as _;
use std::time::Duration;

/// `server_version_num` of PostgreSQL 15.
const OLDEST: i32 = 150_000;

/// Longest wait for a connection at start, and for another process that migrates.
const START: Duration = Duration::from_secs(30);

/// Longest attempt to connect. Packets that are lost on the way are sent again more and more seldom: after an outage a new
/// attempt comes through sooner than one that waits.
const ATTEMPT: Duration = Duration::from_secs(2);

/// What every connection asks of the server. A statement that waits for a lock gives up before it is given up.
pub(super) fn parse(url: &str, options: &Options) -> Result<PgConnectOptions, OpenError> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(OpenError::Url(sqlx::Error::Configuration("it is not a postgres:// URL".into())));
    }
    let connect = PgConnectOptions::from_str(url).map_err(OpenError::Url)?;
    let statement = options.statement().as_millis().max(1);
    let lock = (statement * 2 / 3).max(1);
    let idle = options.patience().as_millis().max(1);
    Ok(connect
        .application_name("eventflow")
        .statement_cache_capacity(256)
        .options([
            ("statement_timeout", statement.to_string()),
            ("lock_timeout", lock.to_string()),
            ("idle_in_transaction_session_timeout", idle.to_string()),
            // The server lets go of what a vanished client held.
            ("tcp_user_timeout", "15000".to_owned()),
            ("tcp_keepalives_idle", "5".to_owned()),
            ("tcp_keepalives_interval", "5".to_owned()),
            ("tcp_keepalives_count", "2".to_owned()),
            ("client_connection_check_interval", "5000".to_owned()),
        ])
        .disable_statement_logging())
}

/// A connection for writing, asserted to be durable.
pub(super) async fn writing(
    connect: &PgConnectOptions,
    options: &Options,
) -> Result<PgConnection, OpenError> {
    // All statements of a writer find their rows by an index. A plan made while a table was empty must not stay
    // the plan when it is full. One plan for any number of rows, made once: to make it takes longer than to carry it out.
    let planner = [
        ("enable_seqscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        ("jit", "off"),
        ("plan_cache_mode", "force_generic_plan"),
    ];
    let connect = connect.clone().options(planner);
    let attempt = tokio::time::timeout(ATTEMPT.max(options.statement() / 2), connect.connect()).await;
    let late = |_| OpenError::Database(sqlx::Error::PoolTimedOut);
    let mut conn = attempt.map_err(late)?.map_err(OpenError::Database)?;
    assert_durable(&mut conn, options).await?;
    Ok(conn)
}

pub(super) async fn prepare(connect: &PgConnectOptions, options: &Options) -> Result<(), OpenError> {
    let late = || OpenError::Database(sqlx::Error::PoolTimedOut);
    let start = async {
        let mut conn = connect.connect().await.map_err(OpenError::Database)?;
        let version: i32 = setting(&mut conn, "server_version_num").await?.parse().unwrap_or(0);
        if version < OLDEST {
            return Err(OpenError::TooOld { found: setting(&mut conn, "server_version").await? });
        }
        assert_durable(&mut conn, options).await?;
        migrate::run(&mut conn, START).await
    };
    tokio::time::timeout(START * 2, start).await.map_err(|_| late())?
}

/// Asked of every connection that writes: a setting may be changed for a role or a database at any time.
async fn assert_durable(conn: &mut PgConnection, options: &Options) -> Result<(), OpenError> {
    if setting(conn, "transaction_read_only").await? != "off" {
        return Err(OpenError::ReadOnly);
    }
    let wanted = "on or remote_apply";
    let found = setting(conn, "synchronous_commit").await?;
    if !matches!(found.as_str(), "on" | "remote_apply") {
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

/// Opened when needed, tested before use: it heals by itself after the server was away.
pub(super) fn pool(connect: &PgConnectOptions, size: u32, options: &Options) -> PgPool {
    PgPoolOptions::new()
        .min_connections(0)
        .max_connections(size.max(1))
        .acquire_timeout(options.statement())
        .idle_timeout(Duration::from_secs(300))
        .max_lifetime(Duration::from_secs(1800))
        .test_before_acquire(true)
        .connect_lazy_with(connect.clone())
}
