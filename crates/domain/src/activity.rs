//! How calls go: figures over steps of time, from counts of ended calls.

use crate::function::FunctionKey;
use crate::lifecycle::State;
use crate::ports::{EndedCell, QueueStats, WindowStats};
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// Ended calls, summed up.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tally {
    pub window: WindowStats,
    pub cancelled: u64,
    /// Whose last attempt was a cold start.
    pub cold: u64,
}

impl Tally {
    pub fn of<'a>(cells: impl IntoIterator<Item = &'a EndedCell>) -> Self {
        let (mut tally, mut runs) = (Self::default(), BTreeMap::<Duration, u64>::new());
        for cell in cells {
            let count = cell.count;
            tally.window.calls += count;
            match cell.state {
                State::Failed => tally.window.failed += count,
                State::Cancelled => tally.cancelled += count,
                _ => {}
            }
            if cell.start == Some(crate::StartKind::Cold) {
                tally.cold += count;
            }
            if let Some(run) = cell.run {
                *runs.entry(run).or_default() += count;
            }
            tally.window.last_call = tally.window.last_call.max(Some(cell.last));
        }
        tally.window.p50 = percentile(&runs, 50);
        tally.window.p99 = percentile(&runs, 99);
        tally
    }
}

/// Nearest rank.
fn percentile(runs: &BTreeMap<Duration, u64>, percent: u64) -> Option<Duration> {
    let all: u64 = runs.values().sum();
    let rank = (all * percent).div_ceil(100).max(1);
    let mut seen = 0;
    runs.iter().find_map(|(run, count)| {
        seen += count;
        (seen >= rank).then_some(*run)
    })
}

/// The calls that ended within one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    pub at: Timestamp,
    pub tally: Tally,
}

/// Where the step of `time` begins: steps begin at multiples of their length since the epoch.
pub fn step_of(time: Timestamp, step: Duration) -> Timestamp {
    let micros = i64::try_from(step.as_micros()).unwrap_or(i64::MAX).max(1);
    Timestamp::from_micros(time.as_micros().div_euclid(micros).saturating_mul(micros))
}

/// One for each step from that of `since` to that of `until`, empty ones too.
pub fn steps(cells: &[EndedCell], since: Timestamp, until: Timestamp, step: Duration) -> Vec<Step> {
    let mut by_step: BTreeMap<Timestamp, Vec<&EndedCell>> = BTreeMap::new();
    let (mut at, last) = (step_of(since, step), step_of(until, step));
    while at <= last {
        by_step.insert(at, Vec::new());
        at = at + step.max(Duration::from_micros(1));
    }
    for cell in cells {
        if let Some(of) = by_step.get_mut(&step_of(cell.at, step)) {
            of.push(cell);
        }
    }
    by_step.into_iter().map(|(at, cells)| Step { at, tally: Tally::of(cells) }).collect()
}

/// How the calls of a function go on.
#[derive(Debug, Clone, PartialEq)]
pub struct Activity {
    pub function: FunctionKey,
    /// Over [`Window::STATS`].
    pub window: WindowStats,
    pub queue: Option<QueueStats>,
    /// When the minute that runs began.
    pub minute: Timestamp,
    /// Calls that ended in each minute, and of those the failed ones: [`Window::MINUTES`], the running one last.
    pub calls: Vec<u32>,
    pub failed: Vec<u32>,
}

/// The calls of a function that ended lately, in steps.
#[derive(Debug, Clone, Default)]
pub struct Window {
    steps: BTreeMap<Timestamp, Vec<EndedCell>>,
    /// Of the calls before all steps, the last.
    before: Option<Timestamp>,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Window {
    /// The length of a step.
    pub const STEP: Duration = Duration::from_secs(10);
    /// What figures of a function are over.
    pub const STATS: Duration = Duration::from_secs(300);
    pub const MINUTES: u32 = 30;

    /// Where the oldest step that is kept begins.
    pub fn begin(now: Timestamp) -> Timestamp {
        step_of(now, MINUTE) - MINUTE * (Self::MINUTES - 1)
    }

    /// Replaces all that ended at or after `since`, the beginning of a step.
    pub fn replace(&mut self, since: Timestamp, cells: Vec<EndedCell>) {
        self.steps.split_off(&since);
        for cell in cells.into_iter().filter(|cell| cell.at >= since) {
            self.steps.entry(cell.at).or_default().push(cell);
        }
    }

    /// Tells of a call before all that are kept.
    pub fn set_before(&mut self, last: Option<Timestamp>) {
        self.before = self.before.max(last);
    }

    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Drops what is too old, and sums up the rest.
    pub fn activity(
        &mut self,
        function: &FunctionKey,
        queue: Option<QueueStats>,
        now: Timestamp,
    ) -> Activity {
        let begin = Self::begin(now);
        let kept = self.steps.split_off(&begin);
        let dropped = std::mem::replace(&mut self.steps, kept);
        self.set_before(Tally::of(dropped.values().flatten()).window.last_call);
        let recent = self.steps.range(step_of(now - Self::STATS, Self::STEP)..);
        let mut window = Tally::of(recent.flat_map(|(_, cells)| cells)).window;
        let (mut calls, mut failed) = (Vec::new(), Vec::new());
        for number in 0..Self::MINUTES {
            let from = begin + MINUTE * number;
            let cells = self.steps.range(from..from + MINUTE).flat_map(|(_, cells)| cells);
            let tally = Tally::of(cells).window;
            calls.push(u32::try_from(tally.calls).unwrap_or(u32::MAX));
            failed.push(u32::try_from(tally.failed).unwrap_or(u32::MAX));
        }
        let latest = self.steps.values().next_back().and_then(|cells| cells.iter().map(|c| c.last).max());
        window.last_call = latest.max(self.before);
        Activity { function: function.clone(), window, queue, minute: step_of(now, MINUTE), calls, failed }
    }
}

#[cfg(test)]
mod tests;
