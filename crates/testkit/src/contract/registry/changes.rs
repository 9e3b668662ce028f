use super::{applied, assert_quiet, next, variant};
use crate::key;
use eventflow_domain::ports::{FunctionRegistry, RegistryEvent};
use eventflow_domain::{Condition, ConditionStatus, Function, Readiness, Timestamp, VersionNumber};
use futures::stream::BoxStream;
use std::sync::Arc;

type Registry = Arc<dyn FunctionRegistry>;

pub(super) fn ready(status: ConditionStatus, reason: &str, since_ms: i64) -> Readiness {
    let condition = Condition {
        kind: Readiness::READY.to_owned(),
        status,
        reason: reason.to_owned(),
        message: String::new(),
        observed_generation: 0,
        since: Timestamp::from_millis(since_ms),
    };
    Readiness { conditions: vec![condition], desired_copies: 1, ready_copies: 1, ..Readiness::default() }
}

pub(super) async fn report(registry: &dyn FunctionRegistry, function: &Function, readiness: Readiness) {
    registry.report(function.uid, function.version, readiness).await.expect("should report");
}

fn since(registry: &dyn FunctionRegistry) -> i64 {
    let function = registry.get(&key("f")).expect("there");
    function.readiness.condition(Readiness::READY).expect("a condition").since.as_millis()
}

pub(super) async fn next_change(events: &mut BoxStream<'static, RegistryEvent>) -> Arc<Function> {
    let change = match next(events).await {
        RegistryEvent::Changed(function) => Some(function),
        RegistryEvent::Deleted(_) | RegistryEvent::Resync => None,
    };
    change.expect("should be a change")
}

pub async fn pausing_is_a_change_that_no_apply_undoes(registry: Registry) {
    let before = applied(&*registry, "f", variant(1, 0)).await.function;
    let paused = registry.set_paused(&key("f"), true).await.expect("pause");
    assert!(paused.paused);
    assert_eq!(paused.version, before.version);
    assert!(paused.generation >= before.generation, "in a cluster an annotation is no new generation");
    let again = registry.set_paused(&key("f"), true).await.expect("pause");
    assert_eq!(again, paused, "pausing again changes nothing");
    let applied = applied(&*registry, "f", variant(2, 0)).await.function;
    assert!(applied.paused);
    let resumed = registry.set_paused(&key("f"), false).await.expect("resume");
    assert_eq!((resumed.paused, resumed.version), (false, VersionNumber(2)));
    assert_eq!(registry.get(&key("f")), Some(resumed));
}

pub async fn a_report_keeps_the_time_since_which_a_condition_holds(registry: Registry) {
    let function = applied(&*registry, "f", variant(1, 0)).await.function;
    assert!(!function.readiness.is_ready(), "nothing was said yet");
    let mut events = registry.watch();
    report(&*registry, &function, ready(ConditionStatus::True, "Compiled", 1000)).await;
    let seen = next_change(&mut events).await;
    assert!(seen.readiness.is_ready());
    assert_eq!(seen.etag(), function.etag(), "a status is not a declaration");
    assert_eq!(seen.readiness.condition(Readiness::READY).map(|ready| ready.observed_generation), Some(1));

    report(&*registry, &function, ready(ConditionStatus::True, "Compiled", 2000)).await;
    assert_quiet(&mut events).await;
    report(&*registry, &function, ready(ConditionStatus::True, "Warm", 3000)).await;
    assert!(matches!(next(&mut events).await, RegistryEvent::Changed(_)), "the reason changed");
    assert_eq!(since(&*registry), 1000);
    report(&*registry, &function, ready(ConditionStatus::False, "Crashed", 4000)).await;
    assert_eq!(since(&*registry), 4000);
}

pub async fn a_report_on_another_version_is_ignored(registry: Registry) {
    let first = applied(&*registry, "f", variant(1, 0)).await.function;
    let second = applied(&*registry, "f", variant(2, 0)).await.function;
    let mut events = registry.watch();
    report(&*registry, &first, ready(ConditionStatus::True, "Compiled", 1)).await;
    assert_eq!(registry.get(&key("f")), Some(Arc::clone(&second)));
    assert_quiet(&mut events).await;
    registry.delete(&key("f"), None).await.expect("delete");
    report(&*registry, &second, ready(ConditionStatus::True, "Compiled", 1)).await;
    assert_eq!(registry.list(None), []);
}

pub async fn a_new_version_waits_for_its_own_report(registry: Registry) {
    let function = applied(&*registry, "f", variant(1, 0)).await.function;
    report(&*registry, &function, ready(ConditionStatus::True, "Compiled", 1)).await;
    let policy = applied(&*registry, "f", variant(1, 3)).await.function;
    assert!(policy.readiness.is_ready(), "a change of policy leaves the code ready");
    assert!(registry.set_paused(&key("f"), true).await.expect("pause").readiness.is_ready());
    let code = applied(&*registry, "f", variant(2, 3)).await.function;
    assert_eq!(code.readiness, Readiness::default());
}

pub async fn a_watcher_sees_each_change_in_order(registry: Registry) {
    applied(&*registry, "before", variant(1, 0)).await;
    let mut events = registry.watch();
    applied(&*registry, "f", variant(1, 0)).await;
    applied(&*registry, "f", variant(2, 0)).await;
    registry.set_paused(&key("f"), true).await.expect("pause");
    registry.delete(&key("f"), None).await.expect("delete");
    for (generation, paused) in [(1, false), (2, false), (3, true)] {
        let function = next_change(&mut events).await;
        assert_eq!((function.generation, function.paused), (generation, paused));
    }
    let function = match next(&mut events).await {
        RegistryEvent::Deleted(function) => Some(function),
        _ => None,
    };
    let function = function.expect("should be the deletion");
    assert_eq!((function.key.clone(), function.generation), (key("f"), 3));
    assert_quiet(&mut events).await;
}

pub async fn a_slow_watcher_is_told_to_list_again(registry: Registry) {
    let function = applied(&*registry, "f", variant(1, 0)).await.function;
    let mut events = registry.watch();
    for number in 0..5000 {
        report(&*registry, &function, ready(ConditionStatus::True, &number.to_string(), 1)).await;
    }
    assert!(matches!(next(&mut events).await, RegistryEvent::Resync));
    let newest = async {
        loop {
            if let RegistryEvent::Changed(function) = next(&mut events).await
                && function.readiness.condition(Readiness::READY).is_some_and(|ready| ready.reason == "4999")
            {
                break;
            }
        }
    };
    newest.await;
}
