//! Connections and the schema.

use super::{OpenError, Options};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use std::fs::OpenOptions;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a read may wait for a connection.
const READ_WAIT: Duration = Duration::from_secs(5);

const FILE: &str = "eventflow.db";

/// Each is applied once, in order; `user_version` says how many were.
const MIGRATIONS: [&str; 5] = [
    include_str!("../../migrations/sqlite/0001_record.sql"),
    include_str!("../../migrations/sqlite/0002_by_namespace.sql"),
    include_str!("../../migrations/sqlite/0003_slots.sql"),
    include_str!("../../migrations/sqlite/0004_ended_by_time.sql"),
    include_str!("../../migrations/sqlite/0005_slots_used.sql"),
];

/// Makes the folder and the file for this user alone; SQLite gives `-wal` and `-shm` the mode of the file.
pub(super) fn prepare_folder(folder: &Path) -> Result<PathBuf, OpenError> {
    let failed = |source| OpenError::Folder { folder: folder.to_owned(), source };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let mode = std::fs::metadata(folder).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).map_err(failed)?;
    }
    let path = folder.join(FILE);
    let opened =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    opened.map_err(failed)?.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(path)
}

fn base(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(Duration::from_secs(5))
        .statement_cache_capacity(256)
        .pragma("temp_store", "memory")
        .disable_statement_logging()
}

/// What the one writer uses. `synchronous=FULL`: a commit that returned survives a power cut (`NORMAL` does not
/// promise that in WAL mode).
pub(super) fn writer_options(path: &Path, options: &Options) -> SqliteConnectOptions {
    let connect = base(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(false)
        // A checkpoint per 16 MiB of log instead of per 4: fewer fsyncs under load.
        .pragma("wal_autocheckpoint", "4000")
        .pragma("journal_size_limit", "67108864")
        .pragma("cache_size", "-16384")
        .thread_name(|_| "store-writer".to_owned());
    match options.max_pages {
        Some(pages) => connect.pragma("max_page_count", pages.to_string()),
        None => connect,
    }
}

/// Opens the writer, asserts what durability rests on, and brings the schema up to date.
pub(super) async fn open_writer(path: &Path, options: &Options) -> Result<SqliteConnection, OpenError> {
    let mut conn = writer_options(path, options).connect().await.map_err(OpenError::Database)?;
    assert_durable(&mut conn).await?;
    migrate(&mut conn).await?;
    Ok(conn)
}

/// Read back, because SQLite ignores a pragma that it cannot or will not follow.
async fn assert_durable(conn: &mut SqliteConnection) -> Result<(), OpenError> {
    let journal: String = pragma(conn, "PRAGMA journal_mode").await?;
    let synchronous: i64 = pragma(conn, "PRAGMA synchronous").await?;
    if journal != "wal" || synchronous != 2 {
        return Err(OpenError::NotDurable { journal, synchronous });
    }
    Ok(())
}

async fn pragma<T>(conn: &mut SqliteConnection, sql: &'static str) -> Result<T, OpenError>
where
    T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    sqlx::query_scalar(sql).fetch_one(conn).await.map_err(OpenError::Database)
}

async fn migrate(conn: &mut SqliteConnection) -> Result<(), OpenError> {
    let found: i64 = pragma(conn, "PRAGMA user_version").await?;
    let known = MIGRATIONS.len() as i64;
    if found > known {
        return Err(OpenError::NewerSchema { found, known });
    }
    for (number, sql) in (1..).zip(MIGRATIONS).skip(usize::try_from(found).unwrap_or(0)) {
        let script = format!("BEGIN IMMEDIATE;\n{sql}\nPRAGMA user_version = {number};\nCOMMIT;");
        sqlx::raw_sql(AssertSqlSafe(script))
            .execute(&mut *conn)
            .await
            .map_err(|source| OpenError::Migration { number, source })?;
    }
    Ok(())
}

pub(super) fn readers(path: &Path, options: &Options) -> SqlitePool {
    let connect = base(path)
        .pragma("query_only", "on")
        .pragma("cache_size", "-4096")
        .thread_name(|_| "store-reader".to_owned());
    SqlitePoolOptions::new()
        .min_connections(0)
        .max_connections(options.readers.max(1))
        .acquire_timeout(READ_WAIT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_lazy_with(connect)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_database_that_may_forget_commits_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = prepare_folder(folder.path()).expect("should be made");
        let mut conn = open_writer(&path, &Options::default()).await.expect("should open");
        assert_durable(&mut conn).await.expect("is durable");
        for weaker in ["PRAGMA synchronous = NORMAL", "PRAGMA synchronous = OFF"] {
            sqlx::query(weaker).execute(&mut conn).await.expect("should be set");
            assert!(matches!(assert_durable(&mut conn).await, Err(OpenError::NotDurable { .. })), "{weaker}");
        }
    }
}
