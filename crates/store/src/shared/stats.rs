//! What waits, and how calls went: sums over rows.

use super::cells::Cells;
use super::fault::Outcome;
use super::record::{duration, read_key};
use eventflow_domain::ports::{QueueStats, WindowStats};
use eventflow_domain::{FunctionKey, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// `live`: namespace, name, state, count, oldest. `dead`: namespace, name, count.
pub(crate) fn queues<R: Cells>(live: &[R], dead: &[R]) -> Outcome<Vec<QueueStats>> {
    let mut all: BTreeMap<FunctionKey, QueueStats> = BTreeMap::new();
    for row in live {
        let (state, count) = (row.int(2)?, row.number(3)?);
        let stats = of(&mut all, row)?;
        match state {
            0 => {
                stats.queued = count;
                stats.oldest_queued = Some(Timestamp::from_micros(row.int(4)?));
            }
            1 => stats.running = count,
            _ => stats.retrying = count,
        }
    }
    for row in dead {
        of(&mut all, row)?.dead_letters = row.number(2)?;
    }
    Ok(all.into_values().collect())
}

fn of<'a>(all: &'a mut BTreeMap<FunctionKey, QueueStats>, row: &impl Cells) -> Outcome<&'a mut QueueStats> {
    let key = read_key(row.text(0)?, row.text(1)?)?;
    Ok(all.entry(key.clone()).or_insert_with(|| QueueStats {
        function: key,
        queued: 0,
        retrying: 0,
        running: 0,
        dead_letters: 0,
        oldest_queued: None,
    }))
}

/// Rows of state, run_micros, ended_at.
pub(crate) fn window<R: Cells>(rows: &[R]) -> Outcome<WindowStats> {
    const FAILED: i64 = 4;
    let (mut stats, mut runs) = (WindowStats::default(), Vec::with_capacity(rows.len()));
    for row in rows {
        stats.calls += 1;
        stats.failed += u64::from(row.int(0)? == FAILED);
        runs.extend(row.maybe_int(1)?.map(duration));
        stats.last_call = stats.last_call.max(Some(Timestamp::from_micros(row.int(2)?)));
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
