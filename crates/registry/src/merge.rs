//! How reports of the runtimes become part of a function: pure.

use eventflow_domain::ports::ReadinessRow;
use eventflow_domain::{Condition, ConditionStatus, Readiness, Timestamp, VersionNumber};
use std::time::Duration;

/// Reports of a worker that said nothing for so long count no more.
const SILENT: Duration = Duration::from_secs(120);

/// The reported readiness, where a condition whose status did not change keeps the time since which it holds.
///
/// The runtime knows versions, not generations: a condition without one (0) observed the current `generation`.
pub(crate) fn readiness(
    before: &Readiness,
    reported: Readiness,
    generation: i64,
    now: Timestamp,
) -> Readiness {
    let conditions = reported
        .conditions
        .into_iter()
        .map(|condition| {
            let since = match before.condition(&condition.kind) {
                Some(before) if before.status == condition.status => before.since,
                _ if condition.since == Timestamp::default() => now,
                _ => condition.since,
            };
            let observed_generation = match condition.observed_generation {
                0 => generation,
                observed => observed,
            };
            Condition { since, observed_generation, ..condition }
        })
        .collect();
    Readiness { conditions, ..reported }
}

/// What the workers that are alive say together of a version: a condition holds where any of them says so, in the
/// words of the one that says so longest; copies are summed.
///
/// The order of the reports does not matter.
pub(crate) fn workers<'a>(
    version: VersionNumber,
    reports: impl IntoIterator<Item = &'a ReadinessRow>,
) -> Readiness {
    let counts = |row: &&ReadinessRow| row.version == version && row.silent <= SILENT;
    let mut reports: Vec<_> = reports.into_iter().filter(counts).collect();
    reports.sort_unstable_by_key(|row| row.worker.as_str());
    let mut merged = Readiness::default();
    for report in reports {
        merged.desired_copies = merged.desired_copies.saturating_add(report.readiness.desired_copies);
        merged.ready_copies = merged.ready_copies.saturating_add(report.readiness.ready_copies);
        merged.copies.extend_from_slice(&report.readiness.copies);
        merged.events.extend_from_slice(&report.readiness.events);
        for condition in &report.readiness.conditions {
            match merged.conditions.iter_mut().find(|merged| merged.kind == condition.kind) {
                Some(merged) => join(merged, condition),
                None => merged.conditions.push(condition.clone()),
            }
        }
    }
    merged.copies.truncate(Readiness::MOST_COPIES);
    merged.events.sort_by_key(|event| std::cmp::Reverse(event.at));
    merged.events.truncate(Readiness::MOST_EVENTS);
    merged
}

fn join(merged: &mut Condition, other: &Condition) {
    let strength = |condition: &Condition| match condition.status {
        ConditionStatus::True => 2,
        ConditionStatus::False => 1,
        ConditionStatus::Unknown => 0,
    };
    let observed = match strength(merged).cmp(&strength(other)) {
        std::cmp::Ordering::Greater => return,
        std::cmp::Ordering::Less => other.observed_generation,
        std::cmp::Ordering::Equal => merged.observed_generation.max(other.observed_generation),
    };
    if strength(other) > strength(merged) || other.since < merged.since {
        *merged = other.clone();
    }
    merged.observed_generation = observed;
}

#[cfg(test)]
mod tests;
