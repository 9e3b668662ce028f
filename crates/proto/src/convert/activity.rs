use super::{duration_to_wire, stats_to_wire, timestamp_to_wire};
use crate::v1;
use eventflow_domain::activity::{Activity, Step, Window};

fn count(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

pub fn activity_to_wire(activity: &Activity) -> v1::FunctionActivity {
    v1::FunctionActivity {
        namespace: activity.function.namespace.to_string(),
        name: activity.function.name.to_string(),
        stats: Some(stats_to_wire(Window::STATS, &activity.window, activity.queue.as_ref())),
        calls_per_minute: activity.calls.iter().copied().map(count).collect(),
        failed_per_minute: activity.failed.iter().copied().map(count).collect(),
        minute_time: Some(timestamp_to_wire(activity.minute)),
    }
}

pub fn step_to_wire(step: &Step) -> v1::MetricsPoint {
    let tally = &step.tally;
    v1::MetricsPoint {
        start_time: Some(timestamp_to_wire(step.at)),
        calls: tally.window.calls as i64,
        failed: tally.window.failed as i64,
        cancelled: tally.cancelled as i64,
        cold: tally.cold as i64,
        p50: tally.window.p50.map(duration_to_wire),
        p99: tally.window.p99.map(duration_to_wire),
    }
}
