//! What waits, and how calls went.

use super::fault::Outcome;
use super::shared;
use eventflow_domain::ports::{QueueStats, WindowStats};
use eventflow_domain::{FunctionKey, Timestamp};
use sqlx::sqlite::SqlitePool;

const LIVE: &str = "SELECT namespace, name, state, count(*), min(created_at) FROM invocations \
                    WHERE state < 3 GROUP BY namespace, name, state";
const DEAD: &str =
    "SELECT namespace, name, count(*) FROM invocations WHERE dead_letter = 1 GROUP BY namespace, name";
const ENDED: &str = "SELECT state, run_micros, ended_at FROM invocations \
                     WHERE namespace = $1 AND name = $2 AND ended_at IS NOT NULL AND ended_at >= $3 \
                     ORDER BY ended_at DESC LIMIT 1000";

pub(super) async fn queues(pool: &SqlitePool) -> Outcome<Vec<QueueStats>> {
    let live = sqlx::query(LIVE).fetch_all(pool).await?;
    let dead = sqlx::query(DEAD).fetch_all(pool).await?;
    shared::stats::queues(&live, &dead)
}

pub(super) async fn window(
    pool: &SqlitePool,
    function: &FunctionKey,
    since: Timestamp,
) -> Outcome<WindowStats> {
    let rows = sqlx::query(ENDED)
        .bind(function.namespace.as_str())
        .bind(function.name.as_str())
        .bind(since.as_micros())
        .fetch_all(pool)
        .await?;
    shared::stats::window(&rows)
}
