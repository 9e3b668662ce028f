//! The contract over a store in memory, and what happens when the store is slow, broken or opened again.

use eventflow_domain::ports::{Apply, FunctionRegistry, FunctionStore};
use eventflow_domain::{ErrorKind, Readiness, VersionNumber};
use eventflow_registry::SqlRegistry;
use eventflow_testkit::contract::registry::{apply, variant};
use eventflow_testkit::fakes::MemoryFunctions;
use eventflow_testkit::{ManualClock, key};
use std::sync::Arc;
use std::time::Duration;

async fn over(store: &Arc<MemoryFunctions>) -> SqlRegistry {
    let store = Arc::clone(store) as Arc<dyn FunctionStore>;
    SqlRegistry::open(store, Arc::new(ManualClock::default())).await.expect("open")
}

async fn registry() -> (Arc<dyn FunctionRegistry>, ()) {
    (Arc::new(over(&Arc::default()).await), ())
}

eventflow_testkit::registry_suite!(registry().await);

#[tokio::test]
async fn everything_declared_is_there_after_a_restart() {
    let store = Arc::default();
    let before = over(&store).await;
    for (name, code) in [("f", 1), ("f", 2), ("g", 1), ("gone", 1)] {
        before.apply(apply(name, variant(code, 0))).await.expect("apply");
    }
    before.set_paused(&key("g"), true).await.expect("pause");
    let gone = before.delete(&key("gone"), None).await.expect("delete");
    let after = over(&store).await;
    assert_eq!(after.list(None), before.list(None));
    let function = after.get(&key("f")).expect("there");
    assert_eq!(function.readiness, Readiness::default());
    let first = after.version(function.uid, VersionNumber(1)).await.expect("a version");
    assert_eq!(*first.spec, variant(1, 0));
    after.version(gone.uid, VersionNumber(1)).await.expect("a version of a deleted function");
    let anew = after.apply(apply("gone", variant(1, 0))).await.expect("apply").function;
    assert_eq!(anew.version, VersionNumber(2));
}

#[tokio::test]
async fn a_write_that_failed_is_not_seen() {
    let store = Arc::default();
    let registry = over(&store).await;
    let before = registry.apply(apply("f", variant(1, 0))).await.expect("apply").function;
    store.down(true);
    let errors = [
        registry.apply(apply("f", variant(2, 0))).await.err(),
        registry.apply(apply("g", variant(2, 0))).await.err(),
        registry.set_paused(&key("f"), true).await.err(),
        registry.delete(&key("f"), None).await.err(),
    ];
    for error in errors {
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Unavailable));
    }
    assert_eq!(registry.list(None), [Arc::clone(&before)]);
    store.down(false);
    let next = registry.apply(apply("f", variant(2, 0))).await.expect("apply").function;
    assert_eq!((next.version, next.generation), (VersionNumber(2), 2));
}

#[tokio::test]
async fn what_changes_nothing_is_not_written() {
    let store = Arc::default();
    let registry = over(&store).await;
    registry.apply(apply("f", variant(1, 0))).await.expect("apply");
    registry.apply(apply("f", variant(1, 0))).await.expect("apply");
    registry.apply(Apply { dry_run: true, ..apply("f", variant(2, 0)) }).await.expect("dry run");
    registry.set_paused(&key("f"), false).await.expect("resume");
    assert_eq!(store.written(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_caller_hung_up_is_seen_once_it_is_stored() {
    let store = Arc::default();
    let registry = over(&store).await;
    store.slow(Duration::from_secs(2));
    let hung_up =
        tokio::time::timeout(Duration::from_secs(1), registry.apply(apply("f", variant(1, 0)))).await;
    assert!(hung_up.is_err());
    assert_eq!(registry.get(&key("f")), None);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(store.written(), 1);
    assert!(registry.get(&key("f")).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_report_that_comes_while_a_write_is_stored_is_kept() {
    let store = Arc::default();
    let registry = over(&store).await;
    let function = registry.apply(apply("f", variant(1, 0))).await.expect("apply").function;
    store.slow(Duration::from_secs(2));
    let report = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let readiness = Readiness { ready_copies: 3, ..Readiness::default() };
        registry.report(function.uid, function.version, readiness).await
    };
    let (written, reported) = tokio::join!(registry.apply(apply("f", variant(1, 7))), report);
    reported.expect("report");
    assert_eq!(written.expect("apply").function.readiness.ready_copies, 3);
}
