//! What waits, and how calls went.

use super::fault::Outcome;
use super::record::{duration, read_key};
use eventflow_domain::ports::{QueueStats, WindowStats};
use eventflow_domain::{FunctionKey, Timestamp};
use sqlx::Row as _;
use sqlx::sqlite::SqlitePool;
use std::collections::BTreeMap;
use std::time::Duration;

const LIVE: &str = "SELECT namespace, name, state, count(*), min(created_at) FROM invocations \
                    WHERE state < 3 GROUP BY namespace, name, state";
const DEAD: &str =
    "SELECT namespace, name, count(*) FROM invocations WHERE dead_letter = 1 GROUP BY namespace, name";
const ENDED: &str = "SELECT state, run_micros, ended_at FROM invocations \
                     WHERE namespace = $1 AND name = $2 AND ended_at IS NOT NULL AND ended_at >= $3 \
                     ORDER BY ended_at DESC LIMIT 1000";

pub(super) async fn queues(pool: &SqlitePool) -> Outcome<Vec<QueueStats>> {
    let mut all: BTreeMap<FunctionKey, QueueStats> = BTreeMap::new();
    let of =
        |all: &mut BTreeMap<FunctionKey, QueueStats>, key: FunctionKey, add: &dyn Fn(&mut QueueStats)| {
            add(all.entry(key.clone()).or_insert_with(|| QueueStats {
                function: key,
                queued: 0,
                retrying: 0,
                running: 0,
                dead_letters: 0,
                oldest_queued: None,
            }));
        };
    for row in sqlx::query(LIVE).fetch_all(pool).await? {
        let (state, count, oldest): (i64, i64, i64) = (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
        let count = u64::try_from(count).unwrap_or(0);
        of(&mut all, read_key(row.try_get(0)?, row.try_get(1)?)?, &|stats| match state {
            0 => {
                stats.queued = count;
                stats.oldest_queued = Some(Timestamp::from_micros(oldest));
            }
            1 => stats.running = count,
            _ => stats.retrying = count,
        });
    }
    for row in sqlx::query(DEAD).fetch_all(pool).await? {
        let count = u64::try_from(row.try_get::<i64, _>(2)?).unwrap_or(0);
        of(&mut all, read_key(row.try_get(0)?, row.try_get(1)?)?, &|stats| stats.dead_letters = count);
    }
    Ok(all.into_values().collect())
}

pub(super) async fn window(
    pool: &SqlitePool,
    function: &FunctionKey,
    since: Timestamp,
) -> Outcome<WindowStats> {
    const FAILED: i64 = 4;
    let rows = sqlx::query(ENDED)
        .bind(function.namespace.as_str())
        .bind(function.name.as_str())
        .bind(since.as_micros())
        .fetch_all(pool)
        .await?;
    let (mut stats, mut runs) = (WindowStats::default(), Vec::with_capacity(rows.len()));
    for row in rows {
        stats.calls += 1;
        stats.failed += u64::from(row.try_get::<i64, _>(0)? == FAILED);
        runs.extend(row.try_get::<Option<i64>, _>(1)?.map(duration));
        stats.last_call = stats.last_call.max(Some(Timestamp::from_micros(row.try_get(2)?)));
    }
    runs.sort_unstable();
    stats.p50 = percentile(&runs, 50);
    stats.p99 = percentile(&runs, 99);
    Ok(stats)
}

/// Nearest rank.
fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let runs: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(percentile(&runs, 50), Some(Duration::from_millis(50)));
        assert_eq!(percentile(&runs, 99), Some(Duration::from_millis(99)));
        assert_eq!(percentile(&runs[..1], 99), Some(Duration::from_millis(1)));
        assert_eq!(percentile(&[], 50), None);
    }
}
