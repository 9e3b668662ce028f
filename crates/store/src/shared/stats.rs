//! What waits, and how calls went: sums over rows.

use super::cells::Cells;
use super::codes;
use super::fault::Outcome;
use super::record::{duration, micros, read_id, read_key};
use eventflow_domain::ports::{DeadLetterGroup, Ended, EndedCell, EndedQuery, QueueStats, WindowStats};
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

/// Counts of ended calls: namespace, name, since, limit and step are bound. Answered from the index alone.
pub(crate) const ENDED: &str = "SELECT ended_at / $5, state, start, \
        CASE WHEN run_micros < 100 THEN run_micros \
             WHEN run_micros < 1000 THEN (run_micros + 5) / 10 * 10 \
             WHEN run_micros < 10000 THEN (run_micros + 50) / 100 * 100 \
             WHEN run_micros < 100000 THEN (run_micros + 500) / 1000 * 1000 \
             WHEN run_micros < 1000000 THEN (run_micros + 5000) / 10000 * 10000 \
             WHEN run_micros < 10000000 THEN (run_micros + 50000) / 100000 * 100000 \
             WHEN run_micros < 100000000 THEN (run_micros + 500000) / 1000000 * 1000000 \
             WHEN run_micros < 1000000000 THEN (run_micros + 5000000) / 10000000 * 10000000 \
             ELSE (run_micros + 50000000) / 100000000 * 100000000 END, \
        count(*), max(ended_at), min(ended_at) \
    FROM (SELECT ended_at, state, start, run_micros FROM invocations \
          WHERE namespace = $1 AND name = $2 AND ended_at IS NOT NULL AND ended_at >= $3 \
          ORDER BY ended_at DESC LIMIT $4) AS ended \
    GROUP BY 1, 2, 3, 4";

/// Rows of [`ENDED`].
pub(crate) fn ended<R: Cells>(rows: &[R], query: &EndedQuery) -> Outcome<Ended> {
    let (mut ended, mut seen, mut first) = (Ended::default(), 0, i64::MAX);
    let step = step_micros(query);
    for row in rows {
        let cell = EndedCell {
            at: Timestamp::from_micros(row.int(0)?.saturating_mul(step)),
            state: codes::read_state(row.int(1)?)?,
            start: row.maybe_int(2)?.map(codes::read_start),
            run: row.maybe_int(3)?.map(duration),
            count: row.number(4)?,
            last: Timestamp::from_micros(row.int(5)?),
        };
        seen += cell.count;
        first = first.min(row.int(6)?);
        ended.cells.push(cell);
    }
    ended.from = (seen > 0 && seen >= u64::from(query.limit)).then(|| Timestamp::from_micros(first));
    Ok(ended)
}

pub(crate) fn step_micros(query: &EndedQuery) -> i64 {
    micros(query.step).max(1)
}

/// Rows of namespace, name, reason, count, first end, last end, newest id, its message.
pub(crate) fn dead_letter_groups<R: Cells>(rows: &[R]) -> Outcome<Vec<DeadLetterGroup>> {
    let group = |row: &R| {
        Ok(DeadLetterGroup {
            function: read_key(row.text(0)?, row.text(1)?)?,
            reason: codes::read_reason(row.text(2)?)?,
            count: row.number(3)?,
            oldest: Timestamp::from_micros(row.int(4)?),
            newest: Timestamp::from_micros(row.int(5)?),
            sample: read_id(row.bytes(6)?)?,
            message: row.maybe_text(7)?.unwrap_or_default().to_owned(),
        })
    };
    rows.iter().map(group).collect()
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
