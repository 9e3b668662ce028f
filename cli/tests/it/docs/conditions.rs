use super::{quoted_after, read, rows, sources};
use std::collections::BTreeSet;

/// How rooms that report a function's readiness name their reasons.
const NAMED_BY: [(&str, &[&str]); 6] = [
    ("services/operator/src", &[": Reason ="]),
    (
        "crates/runtime-wasm/src",
        &["Refusal::code(", "Refusal::of(", "Refusal::transient(", "Self::code(", "ConditionStatus::True,"],
    ),
    ("crates/runtime-process/src", &["Readiness::READY, true,", "Readiness::READY, false,"]),
    (
        "crates/runtime-http/src",
        &[
            "is_ready(",
            "not_ready(",
            "Readiness::READY, false,",
            "Readiness::DEGRADED, true,",
            "Readiness::DEGRADED, false,",
            "const CRASHED: &'static str =",
        ],
    ),
    (
        "crates/runtime-container/src",
        &[
            "Readiness::READY, true,",
            "Readiness::READY, false,",
            "UNAVAILABLE: &str =",
            "FAILED: &str =",
            "ROOT: &str =",
        ],
    ),
    ("services/dispatcher/src", &["reason:"]),
];

fn reasons() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (folder, names) in NAMED_BY {
        for source in sources(folder) {
            for name in names {
                let of = quoted_after(&source, name).filter(|(between, _)| !between.contains(['}', ';']));
                found.extend(of.map(|(_, word)| word.to_owned()));
                // A field comes before the reason where the refusal is of another one than the image.
                if *name == "Refusal::of(" {
                    let after_field =
                        quoted_after(&source, "Refusal::of(\"mode\",").map(|(_, word)| word.to_owned());
                    found.extend(after_field);
                }
            }
        }
    }
    found
}

#[test]
fn every_reason_of_a_condition_is_explained() {
    let page = read("docs/conditions.md");
    let said: BTreeSet<_> = rows(&page).into_iter().map(|row| row[1].clone()).collect();
    let found = reasons();
    assert!(found.len() > 15, "the sources are not read: {found:?}");
    assert_eq!(said, found, "docs/conditions.md (left) and the sources (right)");
}

#[test]
fn what_refuses_calls_is_what_the_api_refuses_by() {
    let sources = sources("services/api/src/app");
    let source = sources.iter().find(|source| source.contains("const INVALID:")).expect("the list");
    let list =
        source.split("const INVALID:").nth(1).and_then(|rest| rest.split("];").next()).expect("a list");
    let listed: BTreeSet<_> = list.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    let page = read("docs/conditions.md");
    let said = rows(&page).into_iter().filter(|row| row[4].contains("Calls are refused."));
    assert_eq!(said.map(|row| row[1].clone()).collect::<BTreeSet<_>>(), listed);
}
