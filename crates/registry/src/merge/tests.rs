use super::*;
use eventflow_domain::{FunctionUid, WorkerId};
use pretty_assertions::assert_eq;
use proptest::prelude::*;

const VERSION: VersionNumber = VersionNumber(3);

fn condition(kind: &str, status: ConditionStatus, reason: &str, since: i64) -> Condition {
    Condition {
        kind: kind.to_owned(),
        status,
        reason: reason.to_owned(),
        message: String::new(),
        observed_generation: since,
        since: Timestamp::from_millis(since),
    }
}

fn row(worker: &str, conditions: Vec<Condition>) -> ReadinessRow {
    ReadinessRow {
        uid: FunctionUid::from(uuid()),
        version: VERSION,
        worker: WorkerId(worker.into()),
        readiness: Readiness { conditions, desired_copies: 2, ready_copies: 1, ..Readiness::default() },
        silent: Duration::ZERO,
    }
}

fn uuid() -> uuid::Uuid {
    uuid::Uuid::from_u128(7)
}

fn says(worker: &str, status: ConditionStatus, reason: &str, since: i64) -> ReadinessRow {
    row(worker, vec![condition(Readiness::READY, status, reason, since)])
}

#[test]
fn one_worker_is_taken_at_its_word() {
    let alone = row(
        "a",
        vec![
            condition("Progressing", ConditionStatus::Unknown, "Pulling", 2),
            condition(Readiness::READY, ConditionStatus::False, "NoImage", 1),
        ],
    );
    assert_eq!(workers(VERSION, [&alone]), alone.readiness);
    assert_eq!(workers(VERSION, []), Readiness::default());
}

#[test]
fn a_function_is_ready_where_any_worker_says_so_and_copies_are_summed() {
    let rows = [
        says("a", ConditionStatus::False, "NoImage", 1),
        says("b", ConditionStatus::True, "Compiled", 20),
        says("c", ConditionStatus::True, "Cached", 10),
        says("d", ConditionStatus::Unknown, "Pulling", 2),
    ];
    let ready = condition(Readiness::READY, ConditionStatus::True, "Cached", 10);
    let ready = Condition { observed_generation: 20, ..ready };
    let expected =
        Readiness { conditions: vec![ready], desired_copies: 8, ready_copies: 4, ..Readiness::default() };
    assert_eq!(workers(VERSION, &rows), expected);
    let [a, _, _, d] = &rows;
    let failing = workers(VERSION, [d, a]);
    assert_eq!(failing.conditions, a.readiness.conditions, "a failure says more than nothing");
}

#[test]
fn trouble_of_one_worker_is_shown_beside_the_readiness_of_another() {
    let rows = [
        says("a", ConditionStatus::True, "Compiled", 1),
        row("b", vec![condition(Readiness::DEGRADED, ConditionStatus::True, "CrashLoop", 2)]),
    ];
    let merged = workers(VERSION, &rows);
    assert!(merged.is_ready());
    assert_eq!(
        merged.condition(Readiness::DEGRADED).map(|degraded| degraded.reason.as_str()),
        Some("CrashLoop")
    );
}

#[test]
fn silent_workers_and_other_versions_do_not_count() {
    let mut silent = says("a", ConditionStatus::True, "Compiled", 1);
    silent.silent = SILENT + Duration::from_millis(1);
    let mut old = says("b", ConditionStatus::True, "Compiled", 1);
    old.version = VersionNumber(2);
    assert_eq!(workers(VERSION, [&silent, &old]), Readiness::default());
    silent.silent = SILENT;
    assert!(workers(VERSION, [&silent, &old]).is_ready());
}

fn any_row() -> impl Strategy<Value = ReadinessRow> {
    let status = prop_oneof![
        Just(ConditionStatus::True),
        Just(ConditionStatus::False),
        Just(ConditionStatus::Unknown)
    ];
    ("[a-z]{4}", status, 0..3i64, 2..4i32).prop_map(|(worker, status, since, version)| ReadinessRow {
        version: VersionNumber(version),
        ..says(&worker, status, &worker, since)
    })
}

proptest! {
    #[test]
    fn the_order_of_reports_does_not_matter(
        rows in prop::collection::btree_map("[a-z]{4}", any_row(), 0..6).prop_map(|rows| {
            rows.into_iter().map(|(worker, row)| ReadinessRow { worker: WorkerId(worker.into()), ..row }).collect::<Vec<_>>()
        }),
    ) {
        let merged = workers(VERSION, &rows);
        prop_assert_eq!(&merged, &workers(VERSION, rows.iter().rev()));
        let any = rows.iter().any(|row| row.version == VERSION && row.readiness.is_ready());
        prop_assert_eq!(merged.is_ready(), any);
    }
}
