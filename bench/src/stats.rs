//! Figures of rounds and pairs.

use serde_json::{Value, json};
use std::time::Duration;

/// What one round on one side gave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    /// Answers a second.
    pub(crate) rate: f64,
    /// Microseconds.
    pub(crate) p50: f64,
    /// Microseconds.
    pub(crate) p99: f64,
    /// User and system time of the server's process for one answer, in microseconds.
    pub(crate) cpu: f64,
    /// Answers that were not what was asked for.
    pub(crate) wrong: u64,
}

impl Figures {
    /// `nanos`: how long each good answer took.
    pub(crate) fn of(mut nanos: Vec<u32>, wrong: u64, took: Duration, cpu: Duration) -> Self {
        nanos.sort_unstable();
        let at = |share: f64| f64::from(percentile(&nanos, share)) / 1e3;
        let answers = (nanos.len().max(1)) as f64;
        Self {
            rate: nanos.len() as f64 / took.as_secs_f64(),
            p50: at(0.50),
            p99: at(0.99),
            cpu: cpu.as_secs_f64() * 1e6 / answers,
            wrong,
        }
    }

    pub(crate) fn to_json(self) -> Value {
        let Self { rate, p50, p99, cpu, wrong } = self;
        json!({"rate": rate, "p50Micros": p50, "p99Micros": p99, "cpuMicros": cpu, "wrong": wrong})
    }

    /// The median of each figure.
    pub(crate) fn median(rounds: &[Self]) -> Self {
        let of = |get: fn(&Self) -> f64| median(rounds.iter().map(get).collect());
        Self {
            rate: of(|f| f.rate),
            p50: of(|f| f.p50),
            p99: of(|f| f.p99),
            cpu: of(|f| f.cpu),
            wrong: rounds.iter().map(|f| f.wrong).sum(),
        }
    }
}

/// The value that `share` of the sorted values do not exceed.
fn percentile(sorted: &[u32], share: f64) -> u32 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle).copied().unwrap_or(f64::NAN);
    if values.len() % 2 == 1 {
        return upper;
    }
    values.get(middle.wrapping_sub(1)).copied().unwrap_or(f64::NAN).midpoint(upper)
}

pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_the_sorted_answers() {
        let nanos: Vec<u32> = (1..=101).rev().map(|n| n * 1000).collect();
        let figures = Figures::of(nanos, 2, Duration::from_secs(2), Duration::from_micros(1010));
        let found = [figures.rate, figures.p50, figures.p99, figures.cpu];
        assert_eq!(format!("{found:?}"), "[50.5, 51.0, 100.0, 10.0]");
        assert_eq!(figures.wrong, 2);
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        let found = [median(vec![3.0, 1.0, 2.0]), median(vec![4.0, 1.0, 2.0, 3.0])];
        assert_eq!(format!("{found:?}"), "[2.0, 2.5]");
        assert!(median(Vec::new()).is_nan());
    }
}
