//! Accepts, claims and settles per second on PostgreSQL, beside bare multi-row inserts into the same schema by as many
//! connections, in one run on one server with `fsync=on`:
//! `cargo run --release -p eventflow-store --example pg_rate`.
#![expect(clippy::print_stdout, reason = "it reports")]
#![expect(clippy::disallowed_methods, reason = "it measures")]

use eventflow_domain::InvocationId;
use eventflow_domain::lifecycle::Verdict;
use eventflow_domain::ports::{Claim, ClaimRequest, NewInvocation};
use eventflow_store::{PostgresOptions, PostgresStore};
use eventflow_testkit::contract::store::{Callee, Room, worker};
use eventflow_testkit::servers::postgres::{PostgresOptions as Server, PostgresServer};
use futures::StreamExt as _;
use futures::future::join_all;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

const CALLS: usize = 20_000;
const ALONE: usize = 500;
const AT_ONCE: usize = 256;
const GROUP: usize = 64;
const CONNECTIONS: usize = 4;
const YEARS: Duration = Duration::from_secs(100 * 365 * 86_400);

type Any = Box<dyn std::error::Error + Send + Sync>;

const INSERT: &str = "WITH new AS (INSERT INTO invocations (id, namespace, name, function_uid, version, source, caller, \
    trace, state, epoch, attempts, lost, not_before, cancel_requested, dead_letter, created_at, logs_truncated, \
    payload_size, payload_type, result_size, payload_kind, payload, result_kind) \
    SELECT id, 'default', 'f', $2, 1, 'async', 'tester', $3, 0, 0, 0, 0, $4, false, false, $4, false, 7, 'text/plain', \
    0, 1, $5, 0 FROM unnest($1) AS id RETURNING id) \
    INSERT INTO outbox (invocation, due_at, free_at, holder, namespace, name, function_uid, epoch, trace) \
    SELECT id, $4, $4, 0, 'default', 'f', $2, 0, $3 FROM new";

#[tokio::main]
async fn main() -> Result<(), Any> {
    let server = PostgresServer::start(Server { fsync: true, ..Server::default() }).await;
    let store = PostgresStore::open(&server.url(), PostgresOptions::default()).await?;
    let room = Room { store: Arc::new(store.clone()), clock: Arc::default() };
    let callee = Callee::new("f");
    let call = || NewInvocation { queue_max: u32::MAX, ..room.call(&callee) };
    room.accepted_as(call()).await;

    let calls: Vec<NewInvocation> = (0..CALLS).map(|_| call()).collect();
    let ids: Vec<InvocationId> = calls.iter().map(|call| call.id).collect();
    let started = Instant::now();
    let room = &room;
    futures::stream::iter(calls)
        .for_each_concurrent(AT_ONCE, |call| async move {
            room.accepted_as(call).await;
        })
        .await;
    let accepted = started.elapsed();

    let started = Instant::now();
    futures::stream::iter(ids.chunks(GROUP))
        .for_each_concurrent(CONNECTIONS, |ids| async move { live(room, ids).await })
        .await;
    let lived = started.elapsed();

    let mut waits = Vec::with_capacity(ALONE);
    for _ in 0..ALONE {
        let (call, started) = (call(), Instant::now());
        room.accepted_as(call).await;
        waits.push(started.elapsed());
    }
    store.close().await;

    let (bare, bare_waits) = bare(&server).await?;
    let rate = |time: Duration| CALLS as f64 / time.as_secs_f64();
    println!("accept, {AT_ONCE} at once: {:.0}/s", rate(accepted));
    println!("bare inserts, {GROUP} to a commit, {CONNECTIONS} connections: {:.0}/s", rate(bare));
    println!("ratio: {:.2}", rate(accepted) / rate(bare));
    println!("accept alone, p50: {:?}; bare commit alone, p50: {:?}", median(waits), median(bare_waits));
    println!("claim + settle, {GROUP} to a claim, {CONNECTIONS} at once: {:.0}/s", rate(lived));
    Ok(())
}

/// Claims these calls together and settles each.
async fn live(room: &Room, ids: &[InvocationId]) {
    let requests = ids.iter().map(|&invocation| ClaimRequest { invocation, max_age: YEARS }).collect();
    let claims = room.store.claim(requests, &worker("a"), Duration::from_secs(30)).await;
    let claimed = claims.unwrap_or_default().into_iter().filter_map(|claim| match claim {
        Claim::Claimed(call) => Some((call.id, call.lifecycle.epoch)),
        _ => None,
    });
    join_all(claimed.map(|(id, epoch)| room.settled(room.end(id, epoch, Verdict::Succeeded)))).await;
}

fn median(mut waits: Vec<Duration>) -> Duration {
    waits.sort_unstable();
    waits.get(waits.len() / 2).copied().unwrap_or_default()
}

/// The same rows into the same schema, as fast as as many connections insert them.
async fn bare(server: &PostgresServer) -> Result<(Duration, Vec<Duration>), Any> {
    let name = server.fresh_database(None).await;
    let connect = PgConnectOptions::from_str(&server.url_of(&name))?;
    let mut conns = Vec::new();
    for _ in 0..CONNECTIONS {
        conns.push(connect.connect().await?);
    }
    let schema = include_str!("../migrations/postgres/0001_record.sql");
    if let Some(first) = conns.first_mut() {
        sqlx::raw_sql(AssertSqlSafe(schema)).execute(first).await?;
    }
    let started = Instant::now();
    let inserts = conns.iter_mut().map(|conn| async move {
        for _ in 0..CALLS / GROUP / CONNECTIONS {
            insert(conn, GROUP).await?;
        }
        Ok::<_, Any>(())
    });
    for done in join_all(inserts).await {
        done?;
    }
    let grouped = started.elapsed();
    let mut waits = Vec::with_capacity(ALONE);
    if let Some(first) = conns.first_mut() {
        for _ in 0..ALONE {
            let started = Instant::now();
            insert(first, 1).await?;
            waits.push(started.elapsed());
        }
    }
    Ok((grouped, waits))
}

async fn insert(conn: &mut PgConnection, rows: usize) -> Result<(), Any> {
    let ids: Vec<Uuid> = (0..rows).map(|_| InvocationId::generate().as_uuid()).collect();
    let query = sqlx::query(INSERT).bind(ids).bind(Uuid::nil()).bind(vec![1_u8; 25]);
    query.bind(1_767_225_600_000_000_i64).bind(b"payload".to_vec()).execute(conn).await?;
    Ok(())
}
