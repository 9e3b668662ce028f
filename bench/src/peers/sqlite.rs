//! The durable insert by itself: EventFlow's own tables and indices in SQLite (WAL, `synchronous=FULL`), one writer,
//! and one commit for all rows that wait. Nothing is checked, counted, published or told to anybody.

use super::store::{GROUP, NewRow, Store, Waiting};
use anyhow::Result;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;

const SCHEMA: &str = include_str!("../../../crates/store/migrations/sqlite/0001_record.sql");

/// Rows of one statement, largest first: few sizes, so that their statements stay prepared.
const SIZES: [usize; 3] = [32, 8, 1];

const CALLS: &str = "INSERT INTO invocations (id, namespace, name, function_uid, version, source, caller, trace, \
    state, epoch, attempts, lost, not_before, cancel_requested, dead_letter, created_at, logs_truncated, \
    payload_size, payload_type, result_size, payload_kind, payload, result_kind) VALUES ";
const CALL: &str = "(?, ?, ?, ?, 1, 'async', ?, ?, 0, 0, 0, 0, ?, 0, 0, ?, 0, ?, ?, 0, 1, ?, 0)";
const OUTBOX: &str = "INSERT INTO outbox (invocation, due_at) VALUES ";
const OUTBOX_ROW: &str = "(?, ?)";

/// One writer over a new file in `folder`.
pub(super) async fn open(folder: &Path) -> Result<Store> {
    let mut conn = SqliteConnectOptions::new()
        .filename(folder.join("bare.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(false)
        .statement_cache_capacity(256)
        // As EventFlow's own writer has them.
        .pragma("temp_store", "memory")
        .pragma("wal_autocheckpoint", "4000")
        .pragma("journal_size_limit", "67108864")
        .pragma("cache_size", "-16384")
        .disable_statement_logging()
        .connect()
        .await?;
    sqlx::raw_sql(SCHEMA).execute(&mut conn).await?;
    let (sender, rows) = mpsc::channel(1024);
    start(conn, rows);
    Ok(Store(sender))
}

#[expect(clippy::disallowed_methods, reason = "the one writer, for the life of the process")]
fn start(mut conn: SqliteConnection, mut rows: mpsc::Receiver<Waiting>) {
    tokio::spawn(async move {
        let (calls, outbox) = (statements(CALLS, CALL), statements(OUTBOX, OUTBOX_ROW));
        let mut group = Vec::with_capacity(GROUP);
        while rows.recv_many(&mut group, GROUP).await > 0 {
            let (rows, waiting): (Vec<_>, Vec<_>) = group.drain(..).unzip();
            match commit(&mut conn, &rows, &calls, &outbox).await {
                Ok(()) => {
                    for done in waiting {
                        // Its caller may have left.
                        let _ = done.send(());
                    }
                }
                // Its callers are told by their dropped senders.
                Err(error) => eprintln!("a group failed: {error:#}"),
            }
        }
    });
}

type Statements = [(usize, Arc<str>); 3];

fn statements(head: &str, row: &str) -> Statements {
    SIZES.map(|rows| (rows, [head, &vec![row; rows].join(",")].concat().into()))
}

async fn commit(
    conn: &mut SqliteConnection,
    mut rows: &[NewRow],
    calls: &Statements,
    outbox: &Statements,
) -> Result<()> {
    let (function, trace) = ([1_u8; 16], [2_u8; 25]);
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *conn).await?;
    for ((size, calls), (_, outbox)) in calls.iter().zip(outbox) {
        while let Some((chunk, rest)) = rows.split_at_checked(*size).filter(|(chunk, _)| !chunk.is_empty()) {
            let mut query = sqlx::query(AssertSqlSafe(Arc::clone(calls)));
            for row in chunk {
                query = query.bind(row.id.as_bytes().to_vec()).bind("default").bind(row.name.as_str());
                query = query.bind(function.to_vec()).bind("admin").bind(trace.to_vec()).bind(row.micros);
                query = query.bind(row.micros).bind(row.payload.len() as i64).bind(row.content_type.as_str());
                query = query.bind(row.payload.to_vec());
            }
            query.execute(&mut *conn).await?;
            let mut query = sqlx::query(AssertSqlSafe(Arc::clone(outbox)));
            for row in chunk {
                query = query.bind(row.id.as_bytes().to_vec()).bind(row.micros);
            }
            query.execute(&mut *conn).await?;
            rows = rest;
        }
    }
    sqlx::query("COMMIT").execute(&mut *conn).await?;
    Ok(())
}
