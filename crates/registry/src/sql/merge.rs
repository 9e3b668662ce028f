//! How a report of the runtime becomes part of a function.

use eventflow_domain::{Condition, Readiness, Timestamp};

/// The reported readiness, where a condition whose status did not change keeps the time since which it holds.
///
/// The runtime knows versions, not generations: a condition without one (0) observed the current `generation`.
pub(super) fn readiness(
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
