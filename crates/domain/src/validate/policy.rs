//! How calls are retried and queued.

use super::Draft;
use super::fields::{Checker, Range};
use crate::spec::{Backoff, QueuePolicy, RetryPolicy};
use std::time::Duration;

pub(super) struct Policy {
    pub(super) retry: RetryPolicy,
    pub(super) concurrency: Option<u32>,
    pub(super) queue: QueuePolicy,
}

const DAY: Duration = Duration::from_secs(86_400);

impl Draft {
    pub(super) fn policy(&self, check: &mut Checker) -> Policy {
        let defaults = QueuePolicy::default();
        let queue = QueuePolicy {
            max: self
                .queue_max
                .and_then(|n| check.whole("queue.max", n, 1..=1_000_000))
                .map_or(defaults.max, |n| n as u32),
            max_age: check.duration(
                "queue.maxAge",
                &self.queue_max_age,
                defaults.max_age,
                Range { min: Duration::from_secs(1), max: 30 * DAY },
            ),
        };
        let concurrency =
            self.concurrency.and_then(|n| check.whole("concurrency", n, 1..=10_000)).map(|n| n as u32);
        Policy { retry: self.retry_policy(check, &queue), concurrency, queue }
    }

    fn retry_policy(&self, check: &mut Checker, queue: &QueuePolicy) -> RetryPolicy {
        let Some(retry) = &self.retry else { return RetryPolicy::default() };
        let defaults = Backoff::default();
        let range = Range { min: Duration::from_millis(1), max: DAY };
        let initial = check.duration("retry.backoff.initial", &retry.initial, defaults.initial, range);
        let max = check.duration("retry.backoff.max", &retry.max, defaults.max.max(initial), range);
        if initial > max {
            check.add("retry.backoff.initial", "must be at most retry.backoff.max");
        }
        if max > queue.max_age {
            check.add("retry.backoff.max", "must be at most queue.maxAge");
            check.add("queue.maxAge", "must be at least retry.backoff.max");
        }
        let backoff = Backoff {
            initial,
            max,
            factor: retry
                .factor
                .and_then(|factor| check.fraction("retry.backoff.factor", factor, 1.0..=10.0))
                .unwrap_or(defaults.factor),
            jitter: retry
                .jitter
                .and_then(|jitter| check.fraction("retry.backoff.jitter", jitter, 0.0..=1.0))
                .unwrap_or(defaults.jitter),
        };
        let max_attempts = check.whole("retry.maxAttempts", retry.max_attempts, 1..=100).unwrap_or(1) as u32;
        RetryPolicy { max_attempts, backoff }
    }
}
