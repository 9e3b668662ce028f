//! What waits, and how calls went.

use super::shared;
use super::shared::fault::Outcome;
use super::shared::list::restrict;
use eventflow_domain::ports::{
    DeadLetterGroup, Ended, EndedQuery, InvocationFilter, QueueStats, WindowStats,
};
use eventflow_domain::{FunctionKey, Timestamp};
use sqlx::postgres::PgConnection;
use sqlx::{Postgres, QueryBuilder};

const LIVE: &str = "SELECT namespace, name, state, count(*), min(created_at) FROM invocations \
    WHERE state < 3 GROUP BY namespace, name, state";
const DEAD: &str =
    "SELECT namespace, name, count(*) FROM invocations WHERE dead_letter GROUP BY namespace, name";
const ENDED: &str = "SELECT state, run_micros, ended_at FROM invocations \
    WHERE namespace = $1 AND name = $2 AND ended_at IS NOT NULL AND ended_at >= $3 \
    ORDER BY ended_at DESC LIMIT 1000";

pub(super) async fn queues(conn: &mut PgConnection) -> Outcome<Vec<QueueStats>> {
    let live = sqlx::query(LIVE).fetch_all(&mut *conn).await?;
    let dead = sqlx::query(DEAD).fetch_all(conn).await?;
    shared::stats::queues(&live, &dead)
}

pub(super) async fn window(
    conn: &mut PgConnection,
    function: &FunctionKey,
    since: Timestamp,
) -> Outcome<WindowStats> {
    let rows = sqlx::query(ENDED)
        .bind(function.namespace.as_str())
        .bind(function.name.as_str())
        .bind(since.as_micros())
        .fetch_all(conn)
        .await?;
    shared::stats::window(&rows)
}

pub(super) async fn ended(conn: &mut PgConnection, query: &EndedQuery) -> Outcome<Ended> {
    let rows = sqlx::query(shared::stats::ENDED)
        .bind(query.function.namespace.as_str())
        .bind(query.function.name.as_str())
        .bind(query.since.as_micros())
        .bind(i64::from(query.limit))
        .bind(shared::stats::step_micros(query))
        .fetch_all(conn)
        .await?;
    shared::stats::ended(&rows, query)
}

pub(super) async fn dead_letter_groups(
    conn: &mut PgConnection,
    filter: &InvocationFilter,
    limit: u32,
) -> Outcome<Vec<DeadLetterGroup>> {
    // PostgreSQL before 18 has no max(uuid).
    let mut query = QueryBuilder::<Postgres>::new(
        "SELECT g.namespace, g.name, g.reason, g.calls, g.oldest, g.newest, i.id, i.message FROM \
         (SELECT namespace, name, reason, count(*) AS calls, min(ended_at) AS oldest, max(ended_at) AS newest, \
         max(id::text)::uuid AS sample FROM invocations",
    );
    restrict(&mut query, filter, super::list::DEAD);
    query.push(" GROUP BY namespace, name, reason ORDER BY calls DESC, namespace, name, reason LIMIT ");
    query.push_bind(i64::from(limit));
    query.push(
        ") AS g JOIN invocations AS i ON i.id = g.sample ORDER BY g.calls DESC, g.namespace, g.name, g.reason",
    );
    let rows = query.build().fetch_all(conn).await?;
    shared::stats::dead_letter_groups(&rows)
}
