//! The durable insert by itself in PostgreSQL: EventFlow's own tables and indices, as many connections as EventFlow's
//! writers, and one commit for all rows that wait when a connection is free. Nothing is checked, counted, published or
//! told to anybody.

use super::store::{GROUP, NewRow, Store, Waiting};
use anyhow::Result;
use bytes::Bytes;
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use std::str::FromStr as _;
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use uuid::Uuid;

const SCHEMA: &str = include_str!("../../../crates/store/migrations/postgres/0001_record.sql");

/// As many as `postgres.writers` has by default.
const CONNECTIONS: usize = 4;

const INSERT: &str = "WITH new AS (INSERT INTO invocations (id, namespace, name, function_uid, version, source, caller, \
    trace, state, epoch, attempts, lost, not_before, cancel_requested, dead_letter, created_at, logs_truncated, \
    payload_size, payload_type, result_size, payload_kind, payload, result_kind) \
    SELECT id, 'default', name, $5, 1, 'async', 'admin', $6, 0, 0, 0, 0, at, false, false, at, false, \
    length(payload), 'application/octet-stream', 0, 1, payload, 0 \
    FROM unnest($1, $2, $3, $4) AS row (id, name, payload, at) RETURNING id, name, created_at) \
    INSERT INTO outbox (invocation, due_at, free_at, holder, namespace, name, function_uid, epoch, trace) \
    SELECT id, created_at, created_at, 0, 'default', name, $5, 0, $6 FROM new";

/// Makes the tables in a new database and serves its inserts.
pub(super) async fn open(url: &str) -> Result<Store> {
    let Connections(connections) = Connections::open(url).await?;
    let (sender, rows) = mpsc::channel(1024);
    let rows = Arc::new(Mutex::new(rows));
    for conn in connections {
        start(conn, Arc::clone(&rows));
    }
    Ok(Store(sender))
}

#[expect(clippy::disallowed_methods, reason = "the writers, for the life of the process")]
fn start(mut conn: PgConnection, rows: Arc<Mutex<mpsc::Receiver<Waiting>>>) {
    tokio::spawn(async move {
        let mut group = Vec::with_capacity(GROUP);
        // The lock is held while nothing waits: the next rows go to the connection that has it.
        while rows.lock().await.recv_many(&mut group, GROUP).await > 0 {
            let (rows, waiting): (Vec<_>, Vec<_>) = group.drain(..).unzip();
            match insert(&mut conn, rows).await {
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

/// One statement is one commit.
async fn insert(conn: &mut PgConnection, rows: Vec<NewRow>) -> Result<()> {
    let mut columns = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        columns.0.push(row.id);
        columns.1.push(row.name);
        columns.2.push(Vec::from(row.payload));
        columns.3.push(row.micros);
    }
    let query = sqlx::query(INSERT).bind(columns.0).bind(columns.1).bind(columns.2).bind(columns.3);
    query.bind(Uuid::from_bytes([1; 16])).bind(vec![2_u8; 25]).execute(conn).await?;
    Ok(())
}

/// Connections that insert as fast as they can.
#[derive(Debug)]
pub(crate) struct Connections(Vec<PgConnection>);

impl Connections {
    /// Makes the tables in a new database.
    pub(crate) async fn open(url: &str) -> Result<Self> {
        let options = PgConnectOptions::from_str(url)?.disable_statement_logging();
        let mut connections = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            connections.push(options.connect().await?);
        }
        if let Some(first) = connections.first_mut() {
            sqlx::raw_sql(SCHEMA).execute(first).await?;
        }
        Ok(Self(connections))
    }

    /// Inserts at least `rows` calls, `group` to a commit; returns how many there were.
    pub(crate) async fn fill(&mut self, rows: usize, group: usize, payload: &Bytes) -> Result<usize> {
        let commits = rows.div_ceil(group * CONNECTIONS);
        let mut fillers = JoinSet::new();
        for mut conn in self.0.drain(..) {
            let payload = payload.clone();
            fillers.spawn(async move {
                for _ in 0..commits {
                    let row = || NewRow::now("bare".to_owned(), String::new(), payload.clone());
                    insert(&mut conn, std::iter::repeat_with(row).take(group).collect()).await?;
                }
                anyhow::Ok(conn)
            });
        }
        while let Some(conn) = fillers.join_next().await {
            self.0.push(conn??);
        }
        Ok(commits * group * CONNECTIONS)
    }
}
