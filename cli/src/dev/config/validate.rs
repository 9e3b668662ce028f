//! Which values make sense.

use super::DevConfig;
use eventflow_domain::quantity::{Memory, format_duration};
use eventflow_lifecycle::config::{Problems, Validate};
use eventflow_runtime_process::ProcessConfig;
use std::ops::RangeInclusive;
use std::time::Duration;

const KI: u64 = 1 << 10;
const MI: u64 = 1 << 20;
const GI: u64 = 1 << 30;
const HOUR: u64 = 3600;
const YEAR: u64 = 365 * 24 * HOUR;

impl Validate for DevConfig {
    fn validate(&self, problems: &mut Problems) {
        if self.address().is_none() {
            let message =
                format!("must be an address and a port such as 127.0.0.1:8080, is {:?}", self.listen);
            problems.push("listen", message);
        }
        times(self, problems);
        sizes(self, problems);
        counts(self, problems);
        let limits = &self.limits;
        if limits.buffered < limits.payload {
            let least = Memory(limits.payload);
            problems.push("limits.buffered", format!("must be at least limits.payload, which is {least}"));
        }
        if limits.inline > limits.payload {
            let most = Memory(limits.payload);
            problems.push("limits.inline", format!("must be at most limits.payload, which is {most}"));
        }
        for origin in &self.gateway.origins {
            if !origin.split_once("://").is_some_and(|(_, host)| !host.is_empty() && !host.contains('/')) {
                let rule = "must be origins such as \"https://console.example\"";
                problems.push("gateway.origins", format!("{rule}, is {origin:?}"));
            }
        }
        for (key, message) in self.telemetry.problems() {
            problems.push(format!("telemetry.{key}"), message);
        }
    }
}

fn times(config: &DevConfig, problems: &mut Problems) {
    let (ms, s) = (Duration::from_millis, Duration::from_secs);
    let DevConfig { gateway, limits, dispatcher, retention, process, wasm, .. } = config;
    for (key, value, range) in [
        ("grace", config.grace, s(0)..=s(600)),
        ("gateway.request_timeout", gateway.request_timeout, s(1)..=s(HOUR)),
        ("gateway.body_timeout", gateway.body_timeout, s(1)..=s(24 * HOUR)),
        ("gateway.body_idle", gateway.body_idle, s(1)..=s(HOUR)),
        ("gateway.keep_alive", gateway.keep_alive, s(1)..=s(60)),
        ("limits.max_wait", limits.max_wait, s(1)..=s(HOUR)),
        ("limits.max_delay", limits.max_delay, s(1)..=s(YEAR)),
        ("limits.idempotency", limits.idempotency, s(60)..=s(YEAR)),
        ("dispatcher.lease", dispatcher.lease, s(3)..=s(600)),
        ("dispatcher.record_flush", dispatcher.record_flush, ms(1)..=ms(100)),
        ("dispatcher.log_flush", dispatcher.log_flush, ms(10)..=s(5)),
        ("retention.max_age", retention.max_age, s(60)..=s(100 * YEAR)),
        ("retention.every", retention.every, s(1)..=s(24 * HOUR)),
        ("retention.blob_min_age", retention.blob_min_age, s(60)..=s(YEAR)),
        ("process.idle_stop", process.idle_stop, s(1)..=s(YEAR)),
        ("process.kill_grace", process.kill_grace, s(0)..=ProcessConfig::MAX_GRACE),
        ("wasm.compile_timeout", wasm.compile_timeout, s(1)..=s(HOUR)),
    ] {
        within(problems, key, value, range, format_duration);
    }
}

fn sizes(config: &DevConfig, problems: &mut Problems) {
    let DevConfig { limits, dispatcher, wasm, .. } = config;
    for (key, value, range) in [
        ("limits.payload", limits.payload, KI..=2 * GI),
        ("limits.inline", limits.inline, 0..=MI),
        ("limits.stdout_result", limits.stdout_result, KI..=64 * MI),
        ("limits.logs", limits.logs, KI..=256 * MI),
        ("limits.artifact", limits.artifact, KI..=16 * GI),
        ("dispatcher.log_buffer", dispatcher.log_buffer, MI..=16 * GI),
        ("wasm.max_code", wasm.max_code, KI..=GI),
        ("wasm.cache", wasm.cache, MI..=1024 * GI),
    ] {
        within(problems, key, value, range, |value| Memory(value).to_string());
    }
}

fn counts(config: &DevConfig, problems: &mut Problems) {
    let DevConfig { limits, dispatcher, retention, wasm, .. } = config;
    for (key, value, range) in [
        ("limits.max_lost", limits.max_lost.into(), 0..=1000),
        ("dispatcher.slots", dispatcher.slots as u64, 1..=100_000),
        ("dispatcher.default_concurrency", dispatcher.default_concurrency.into(), 1..=100_000),
        ("dispatcher.max_waiting", dispatcher.max_waiting as u64, 0..=1_000_000),
        ("dispatcher.record_buffer", dispatcher.record_buffer as u64, 1..=1_000_000),
        ("retention.max_count", retention.max_count, 1..=1_000_000_000),
        ("wasm.max_instances", wasm.max_instances.into(), 1..=10_000),
    ] {
        within(problems, key, value, range, |value| value.to_string());
    }
}

fn within<T: PartialOrd + Copy>(
    problems: &mut Problems,
    key: &str,
    value: T,
    range: RangeInclusive<T>,
    shown: impl Fn(T) -> String,
) {
    if !range.contains(&value) {
        let [least, most, is] = [*range.start(), *range.end(), value].map(&shown);
        problems.push(key, format!("must be from {least} to {most}, is {is}"));
    }
}
