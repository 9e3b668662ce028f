//! How many copies there should be: pure, so that hours are tested in a moment.

use super::ScalerConfig;
use eventflow_domain::spec::Scale;
use std::collections::VecDeque;
use std::time::Duration;

/// The part of its concurrency that a copy is meant to be busy with: the rest takes what comes before the next look.
const TARGET: f64 = 0.8;
/// A step up is at most by this factor, and by at least this many.
const FACTOR: u32 = 2;
const AT_LEAST: u32 = 4;

/// What a function has to do, over all dispatchers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Calls that run, or are held for a copy.
    pub in_flight: u32,
    /// Calls that wait for their turn.
    pub waiting: u32,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Keep,
    /// So many copies from now on.
    Set(u32),
}

/// What was needed lately, so that a lull of a moment ends no copy.
#[derive(Debug, Clone, Default)]
pub struct Trend {
    /// Times and needs; a need that a later one exceeds is not kept.
    needs: VecDeque<(Duration, u32)>,
    busy_at: Option<Duration>,
}

impl Trend {
    fn saw(&mut self, now: Duration, need: u32, window: Duration) {
        while self.needs.front().is_some_and(|(at, _)| now.saturating_sub(*at) > window) {
            self.needs.pop_front();
        }
        while self.needs.back().is_some_and(|(_, before)| *before <= need) {
            self.needs.pop_back();
        }
        self.needs.push_back((now, need));
    }

    /// The most of the window.
    fn most(&self) -> u32 {
        self.needs.front().map_or(0, |(_, need)| *need)
    }
}

/// `now` is of a clock that never steps back. Up at once, down only by what a whole window did not need, and to none
/// only after a longer silence.
pub fn decide(
    trend: &mut Trend,
    now: Duration,
    scale: Scale,
    current: u32,
    load: Load,
    config: &ScalerConfig,
) -> Decision {
    let need = need(scale, load);
    let first = trend.busy_at.is_none();
    if need > 0 || first {
        trend.busy_at = Some(now);
    }
    // What was there before the first look was there for a reason.
    trend.saw(now, if first { need.max(current.min(scale.max())) } else { need }, config.window);
    let wanted = trend.most().clamp(scale.min(), scale.max().max(scale.min()));
    let wanted = match wanted {
        0 if now.saturating_sub(trend.busy_at.unwrap_or(now)) < config.zero_after => current.min(1),
        wanted => wanted,
    };
    let next = if wanted > current { wanted.min((current * FACTOR).max(current + AT_LEAST)) } else { wanted };
    if next == current { Decision::Keep } else { Decision::Set(next) }
}

fn need(scale: Scale, load: Load) -> u32 {
    let total = load.in_flight.saturating_add(load.waiting);
    let per_copy = f64::from(scale.per_copy().max(1)) * TARGET;
    (f64::from(total) / per_copy).ceil() as u32
}

#[cfg(test)]
mod tests;
