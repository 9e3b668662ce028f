//! Accepts per second beside a bare loop of the same inserts, in one run on one disk:
//! `cargo run --release -p eventflow-store --example accept_rate`.
#![expect(clippy::print_stdout, reason = "it reports")]
#![expect(clippy::disallowed_methods, reason = "it measures")]

use eventflow_domain::lifecycle::Verdict;
use eventflow_domain::ports::NewInvocation;
use eventflow_store::{Options, SqliteStore};
use eventflow_testkit::ManualClock;
use eventflow_testkit::contract::store::{Callee, Room, worker};
use futures::StreamExt as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const CALLS: usize = 40_000;
const ALONE: usize = 2_000;
const AT_ONCE: usize = 64;

type Any = Box<dyn std::error::Error>;

const INSERT: &str = "INSERT INTO invocations (id, namespace, name, function_uid, version, source, caller, trace, \
    state, epoch, attempts, lost, not_before, cancel_requested, dead_letter, created_at, logs_truncated, \
    payload_size, payload_type, result_size, payload_kind, payload, result_kind) \
    VALUES ($1, 'default', 'f', $2, 1, 'async', 'tester', $3, 0, 0, 0, 0, $4, 0, 0, $4, 0, 7, 'text/plain', 0, 1, $5, 0)";
const OUTBOX: &str = "INSERT INTO outbox (invocation, due_at) VALUES ($1, $2)";

#[tokio::main]
async fn main() -> Result<(), Any> {
    let folder = tempfile::tempdir()?;
    let clock = Arc::new(ManualClock::default());
    let store = SqliteStore::open(folder.path(), Arc::clone(&clock) as _, Options::default()).await?;
    let room = Arc::new(Room { store: Arc::new(store.clone()), clock });
    let callee = Callee::new("f");
    let call = || NewInvocation { queue_max: u32::MAX, ..room.call(&callee) };

    warm_up(&room, call(), call()).await;
    let calls: Vec<NewInvocation> = (0..CALLS).map(|_| call()).collect();
    let ids: Vec<_> = calls.iter().map(|call| call.id).collect();
    let started = Instant::now();
    let mut answers = futures::stream::iter(calls.into_iter().map(|call| {
        let room = Arc::clone(&room);
        tokio::spawn(async move { room.store.accept(call).await })
    }))
    .buffer_unordered(AT_ONCE);
    while let Some(answer) = answers.next().await {
        answer??;
    }
    let grouped = started.elapsed();

    let mut waits = Vec::with_capacity(ALONE);
    for _ in 0..ALONE {
        let (call, started) = (call(), Instant::now());
        room.store.accept(call).await?;
        waits.push(started.elapsed());
    }
    let lives = lives(&room, ids.get(..2000).unwrap_or_default()).await;
    store.close().await;

    let bare_folder = tempfile::tempdir()?;
    let (bare, bare_waits) = bare(bare_folder.path()).await?;
    let rate = |time: Duration| CALLS as f64 / time.as_secs_f64();
    println!("accept, {AT_ONCE} at once: {:.0}/s", rate(grouped));
    println!("bare inserts, {AT_ONCE} to a commit: {:.0}/s", rate(bare));
    println!("ratio: {:.2}", rate(grouped) / rate(bare));
    println!("accept alone, p50: {:?}; bare commit alone, p50: {:?}", median(waits), median(bare_waits));
    println!("claim + settle, {AT_ONCE} at once: {:.0}/s", 2000.0 / lives.as_secs_f64());
    Ok(())
}

async fn warm_up(room: &Room, first: NewInvocation, second: NewInvocation) {
    for call in [first, second] {
        room.accepted_as(call).await;
    }
}

async fn lives(room: &Arc<Room>, ids: &[eventflow_domain::InvocationId]) -> Duration {
    let started = Instant::now();
    futures::stream::iter(ids.iter().copied())
        .for_each_concurrent(AT_ONCE, |id| async move {
            let epoch = room.claimed(id, &worker("a")).await.lifecycle.epoch;
            room.settled(room.end(id, epoch, Verdict::Succeeded)).await;
        })
        .await;
    started.elapsed()
}

fn median(mut waits: Vec<Duration>) -> Duration {
    waits.sort_unstable();
    waits.get(waits.len() / 2).copied().unwrap_or_default()
}

/// The same rows into the same schema by one connection, row by row.
async fn bare(folder: &Path) -> Result<(Duration, Vec<Duration>), Any> {
    let mut conn = SqliteConnectOptions::new()
        .filename(folder.join("bare.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", "4000")
        .pragma("cache_size", "-16384")
        .disable_statement_logging()
        .connect()
        .await?;
    sqlx::raw_sql(AssertSqlSafe(include_str!("../migrations/sqlite/0001_record.sql")))
        .execute(&mut conn)
        .await?;
    let started = Instant::now();
    for _ in 0..CALLS / AT_ONCE {
        commit(&mut conn, AT_ONCE).await?;
    }
    let grouped = started.elapsed();
    let mut waits = Vec::with_capacity(ALONE);
    for _ in 0..ALONE {
        let started = Instant::now();
        commit(&mut conn, 1).await?;
        waits.push(started.elapsed());
    }
    Ok((grouped, waits))
}

async fn commit(conn: &mut SqliteConnection, rows: usize) -> Result<(), Any> {
    let now = 1_767_225_600_000_000_i64;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *conn).await?;
    for _ in 0..rows {
        let id = eventflow_domain::InvocationId::generate().as_uuid().as_bytes().to_vec();
        let query = sqlx::query(INSERT).bind(id.clone()).bind(vec![1_u8; 16]).bind(vec![1_u8; 25]).bind(now);
        query.bind(b"payload".to_vec()).execute(&mut *conn).await?;
        sqlx::query(OUTBOX).bind(id).bind(now).execute(&mut *conn).await?;
    }
    sqlx::query("COMMIT").execute(&mut *conn).await?;
    Ok(())
}
