//! What holds between two registries over one store, as if they were two processes. Each passes the contract of
//! `FunctionRegistry` alone as well. [`crate::shared_registry_suite!`] writes a test for each function.

use super::changes::{next_change, ready, report};
use super::{applied, apply, assert_quiet, next, variant};
use crate::key;
use eventflow_domain::ports::{Applied, Apply, FunctionRegistry, Precondition, RegistryEvent};
use eventflow_domain::{ConditionStatus, ErrorKind, Function, Readiness, Result, VersionNumber};
use futures::stream::BoxStream;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

type Registry = Arc<dyn FunctionRegistry>;

/// News need a moment.
async fn soon(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(5), wait).await.is_ok(), "{what} should hold soon");
}

/// Until `registry` shows the same as `other`.
async fn caught_up(registry: &Registry, other: &Registry) {
    soon("what both show is the same", || registry.list(None) == other.list(None)).await;
}

async fn next_deletion(events: &mut BoxStream<'static, RegistryEvent>) -> Arc<Function> {
    let deletion = match next(events).await {
        RegistryEvent::Deleted(function) => Some(function),
        RegistryEvent::Changed(_) | RegistryEvent::Resync => None,
    };
    deletion.expect("should be a deletion")
}

pub async fn what_one_declares_the_other_tells_once(a: Registry, b: Registry) {
    let mut events = b.watch();
    applied(&*a, "f", variant(1, 0)).await;
    assert_eq!(next_change(&mut events).await, a.get(&key("f")).expect("there"));
    let two = applied(&*a, "f", variant(2, 0)).await.function;
    assert_eq!(next_change(&mut events).await, two);
    assert_eq!(b.get(&key("f")), Some(Arc::clone(&two)));
    assert_eq!(b.get_by_uid(two.uid), Some(two));
    let paused = a.set_paused(&key("f"), true).await.expect("pause");
    assert_eq!(next_change(&mut events).await, paused);
    a.delete(&key("f"), None).await.expect("delete");
    assert_eq!(next_deletion(&mut events).await, paused);
    assert_eq!(b.list(None), []);
    assert_quiet(&mut events).await;
}

pub async fn racing_applies_lose_nothing_and_number_without_gaps(a: Registry, b: Registry) {
    let of = |registry: &Registry, codes: std::ops::Range<u8>| {
        let registry = Arc::clone(registry);
        let write = move |code| {
            let registry = Arc::clone(&registry);
            async move { registry.apply(apply("f", variant(code, 0))).await }
        };
        futures::future::try_join_all(codes.map(write))
    };
    let (of_a, of_b) = tokio::try_join!(of(&a, 0..20), of(&b, 20..40)).expect("should apply");
    let all: Vec<Applied> = of_a.into_iter().chain(of_b).collect();
    let numbers: BTreeSet<i32> = all.iter().map(|applied| applied.function.version.0).collect();
    assert_eq!(numbers, (1..=40).collect());
    assert_eq!(all.iter().filter(|applied| applied.created).count(), 1);
    caught_up(&a, &b).await;
    let current = a.get(&key("f")).expect("there");
    assert_eq!((current.version, current.generation), (VersionNumber(40), 40));
    let versions = b.versions(current.uid).await.expect("versions");
    let specs: Vec<_> = versions.iter().map(|version| (version.number, Arc::clone(&version.spec))).collect();
    for applied in &all {
        let written = (applied.function.version, Arc::clone(&applied.function.spec));
        assert!(specs.contains(&written), "{written:?} should be kept");
    }
    assert_eq!(specs.len(), 40);
}

pub async fn of_two_who_race_with_a_precondition_one_wins(a: Registry, b: Registry) {
    let race = async |precondition: Precondition, round: u8| -> [Result<Applied>; 2] {
        let write = |registry: &Registry, code: u8| {
            let registry = Arc::clone(registry);
            let apply = Apply { precondition: precondition.clone(), ..apply("f", variant(code, 0)) };
            async move { registry.apply(apply).await }
        };
        let (of_a, of_b) = tokio::join!(write(&a, round * 2), write(&b, round * 2 + 1));
        [of_a, of_b]
    };
    let assert_one = |ends: [Result<Applied>; 2], refused: ErrorKind| -> Arc<Function> {
        let kinds: BTreeSet<_> =
            ends.iter().map(|end| end.as_ref().err().map(|error| format!("{:?}", error.kind()))).collect();
        assert_eq!(kinds, BTreeSet::from([None, Some(format!("{refused:?}"))]));
        ends.into_iter().find_map(Result::ok).expect("one should win").function
    };
    for round in 0..10 {
        let created = assert_one(race(Precondition::Absent, round).await, ErrorKind::AlreadyExists);
        let etag = Precondition::Etag(created.etag());
        let changed = assert_one(race(etag, round + 20).await, ErrorKind::PreconditionFailed);
        assert_eq!(changed.version, VersionNumber(i32::from(round) * 2 + 2));
        a.delete(&key("f"), Some(&changed.etag())).await.expect("the etag of the winner holds");
    }
}

pub async fn a_write_is_planned_on_what_the_other_just_wrote(a: Registry, b: Registry) {
    let first = applied(&*a, "f", variant(1, 0)).await.function;
    let second = applied(&*b, "f", variant(2, 0)).await;
    assert!(!second.created);
    assert_eq!((second.function.uid, second.function.version), (first.uid, VersionNumber(2)));
    let paused = a.set_paused(&key("f"), true).await.expect("pause");
    assert_eq!((paused.version, paused.generation), (VersionNumber(2), 3));
    let stale = b.delete(&key("f"), Some(&second.function.etag())).await.expect_err("refused");
    assert_eq!(stale.kind(), ErrorKind::PreconditionFailed);
    assert!(!applied(&*b, "f", variant(2, 0)).await.changed);
    let deleted = b.delete(&key("f"), None).await.expect("delete");
    assert_eq!((deleted.uid, deleted.generation), (first.uid, 3));
    assert_eq!(a.delete(&key("f"), None).await.expect_err("gone").kind(), ErrorKind::NotFound);
    assert_eq!(a.get(&key("f")), None, "who wrote in vain has seen why");
}

pub async fn a_function_made_anew_elsewhere_is_seen_as_another(a: Registry, b: Registry) {
    let old = applied(&*a, "f", variant(1, 0)).await.function;
    caught_up(&b, &a).await;
    let mut events = b.watch();
    a.delete(&key("f"), None).await.expect("delete");
    let new = applied(&*a, "f", variant(1, 0)).await.function;
    assert_ne!(new.uid, old.uid);
    assert_eq!((new.version, new.generation), (VersionNumber(2), 1));
    assert_eq!(next_deletion(&mut events).await, old);
    assert_eq!(next_change(&mut events).await, new);
    assert_eq!(b.get_by_uid(old.uid), None);
    assert_eq!(b.get_by_uid(new.uid), Some(new));
    assert_quiet(&mut events).await;
    let over_old = Apply { precondition: Precondition::Etag(old.etag()), ..apply("f", variant(2, 0)) };
    assert_eq!(b.apply(over_old).await.expect_err("refused").kind(), ErrorKind::PreconditionFailed);
}

pub async fn a_refresh_finds_what_the_news_have_not_brought(a: Registry, b: Registry) {
    assert_eq!(b.refresh(&key("unknown")).await.expect("refresh"), None);
    let function = applied(&*a, "f", variant(1, 0)).await.function;
    assert_eq!(b.refresh(&key("f")).await.expect("refresh"), Some(Arc::clone(&function)));
    assert_eq!(b.get(&key("f")), Some(function), "and it stays known");
}

pub async fn readiness_is_what_all_workers_say(a: Registry, b: Registry) {
    let function = applied(&*a, "f", variant(1, 0)).await.function;
    caught_up(&b, &a).await;
    report(&*a, &function, ready(ConditionStatus::False, "NoImage", 1000)).await;
    report(&*b, &function, ready(ConditionStatus::True, "Compiled", 2000)).await;
    let shown = |registry: &Registry| registry.get(&key("f")).expect("there").readiness.clone();
    for registry in [&a, &b] {
        soon("both reports count", || shown(registry).is_ready() && shown(registry).ready_copies == 2).await;
        let readiness = shown(registry);
        assert_eq!(
            readiness.condition(Readiness::READY).map(|ready| ready.reason.as_str()),
            Some("Compiled")
        );
    }
    report(&*b, &function, ready(ConditionStatus::False, "Crashed", 3000)).await;
    for registry in [&a, &b] {
        soon("none is ready", || !shown(registry).is_ready()).await;
    }
    let mut events = b.watch();
    let next = applied(&*a, "f", variant(2, 0)).await.function;
    assert_eq!(next.readiness, Readiness::default(), "the new code waits for its own report");
    assert_eq!(next_change(&mut events).await, next);
    report(&*a, &next, ready(ConditionStatus::True, "Compiled", 4000)).await;
    assert_eq!(next_change(&mut events).await.readiness.ready_copies, 1);
    report(&*a, &next, ready(ConditionStatus::True, "Compiled", 5000)).await;
    assert_quiet(&mut events).await;
}

/// A test for each function of this module. `$new` makes `(a, b, guard)`: two registries over one new empty store,
/// both followed.
#[macro_export]
macro_rules! shared_registry_suite {
    ($new:expr) => {
        $crate::shared_registry_suite!(@tests $new;
            what_one_declares_the_other_tells_once
            racing_applies_lose_nothing_and_number_without_gaps
            of_two_who_race_with_a_precondition_one_wins
            a_write_is_planned_on_what_the_other_just_wrote
            a_function_made_anew_elsewhere_is_seen_as_another
            a_refresh_finds_what_the_news_have_not_brought
            readiness_is_what_all_workers_say
        );
    };
    (@tests $new:expr; $($name:ident)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let (a, b, _guard) = $new;
            $crate::contract::registry::shared::$name(a, b).await;
        }
    )+};
}
