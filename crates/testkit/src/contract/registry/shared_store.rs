//! The contract of the port `SharedFunctionStore`, beside that of `FunctionStore`.
//! [`crate::shared_function_store_suite!`] writes a test for each function.

use super::variant;
use crate::key;
use eventflow_domain::ports::{FunctionNews, FunctionRow, ReadinessReport, SharedFunctionStore};
use eventflow_domain::{ErrorKind, FunctionUid, FunctionVersion, Readiness, VersionNumber, WorkerId};
use futures::stream::{BoxStream, StreamExt as _};
use std::sync::Arc;
use std::time::Duration;

type Store = Arc<dyn SharedFunctionStore>;
type News = BoxStream<'static, FunctionNews>;

fn row(name: &str, version: i32) -> FunctionRow {
    let time = crate::ManualClock::START;
    FunctionRow {
        key: key(name),
        uid: FunctionUid::generate(),
        generation: 1,
        version: VersionNumber(version),
        spec: Arc::new(variant(1, 0)),
        paused: false,
        deleting: false,
        created_at: time,
        updated_at: time,
    }
}

fn version(row: &FunctionRow) -> FunctionVersion {
    FunctionVersion {
        key: row.key.clone(),
        uid: row.uid,
        number: row.version,
        spec: Arc::clone(&row.spec),
        created_at: row.updated_at,
        created_by: "tester".to_owned(),
    }
}

/// A function `default/<name>` at version `number`.
pub async fn create(store: &Store, name: &str, number: i32) -> FunctionRow {
    let row = row(name, number);
    store.function_put(row.clone(), Some(version(&row)), 0).await.expect("should be put");
    row
}

async fn conflict(store: &Store, row: &FunctionRow, version: Option<FunctionVersion>, expected: i64) {
    let before = store.function_get(&row.key).await.expect("get");
    let error = store.function_put(row.clone(), version, expected).await.expect_err("should be refused");
    assert_eq!(error.kind(), ErrorKind::VersionConflict, "{error:?}");
    assert_eq!(store.function_get(&row.key).await.expect("get"), before, "and nothing is written");
}

async fn assert_next(news: &mut News, expected: FunctionNews) {
    let next = tokio::time::timeout(Duration::from_secs(5), next_but_numbers(news)).await;
    assert_eq!(next.expect("should come soon"), Some(expected));
}

/// The numbers of changes are a test of their own.
pub async fn next_but_numbers(news: &mut News) -> Option<FunctionNews> {
    loop {
        match news.next().await {
            Some(FunctionNews::Revision(_)) => {}
            item => return item,
        }
    }
}

async fn assert_quiet(news: &mut News) {
    let next = tokio::time::timeout(Duration::from_millis(100), next_but_numbers(news)).await;
    assert!(next.is_err(), "nothing should come, but {next:?} came");
}

fn report(row: &FunctionRow, copies: u32) -> ReadinessReport {
    let readiness = Readiness { ready_copies: copies, ..Readiness::default() };
    ReadinessReport { uid: row.uid, version: row.version, readiness }
}

pub async fn a_function_is_read_as_it_was_written(store: Store) {
    assert_eq!(store.function_get(&key("f")).await.expect("get"), None);
    let row = create(&store, "f", 1).await;
    assert_eq!(store.function_get(&key("f")).await.expect("get"), Some(row.clone()));
    let paused = FunctionRow { paused: true, generation: 2, ..row };
    store.function_put(paused.clone(), None, 1).await.expect("put");
    assert_eq!(store.function_get(&key("f")).await.expect("get"), Some(paused));
}

pub async fn a_write_planned_on_another_function_is_refused(store: Store) {
    let old = create(&store, "f", 1).await;
    let gone = store.function_remove_at(&old.key, old.uid, 1).await.expect("remove");
    assert!(gone);
    let new = create(&store, "f", 2).await;
    // As new as the row in its place, by the generation alone.
    let stale = FunctionRow { generation: 2, version: VersionNumber(3), ..old.clone() };
    conflict(&store, &stale, None, 1).await;
    conflict(&store, &stale, Some(version(&stale)), 1).await;
    conflict(&store, &row("f", 3), None, 0).await;
    let next = FunctionRow { generation: 2, ..new };
    store.function_put(next.clone(), None, 1).await.expect("put");
    conflict(&store, &next, None, 1).await;
}

pub async fn no_version_number_is_given_twice(store: Store) {
    let first = create(&store, "f", 1).await;
    let again = FunctionRow { generation: 2, ..first.clone() };
    conflict(&store, &again, Some(FunctionVersion { uid: FunctionUid::generate(), ..version(&again) }), 1)
        .await;
    assert!(store.function_remove(&first.key, first.uid).await.expect("remove"));
    // Planned before the name had its first version.
    let late = row("f", 1);
    conflict(&store, &late, Some(version(&late)), 0).await;
    assert_eq!(store.version_get(late.uid, late.version).await.expect("get"), None);
    create(&store, "f", 2).await;
}

pub async fn only_the_generation_that_was_read_is_removed(store: Store) {
    let row = create(&store, "f", 1).await;
    let key = &row.key;
    let next = FunctionRow { generation: 2, ..row.clone() };
    store.function_put(next, None, 1).await.expect("put");
    for (uid, generation) in [(row.uid, 1), (FunctionUid::generate(), 2)] {
        assert!(!store.function_remove_at(key, uid, generation).await.expect("remove"));
    }
    assert!(store.function_get(key).await.expect("get").is_some());
    assert!(store.function_remove_at(key, row.uid, 2).await.expect("remove"));
    assert!(!store.function_remove_at(key, row.uid, 2).await.expect("remove"));
    assert_eq!(store.function_get(key).await.expect("get"), None);
    let versions = store.version_list(row.uid).await.expect("versions");
    assert_eq!(versions.len(), 1, "its versions stay");
}

pub async fn every_write_is_told_to_every_listener(store: Store) {
    let mut listeners = [store.function_news(), store.function_news()];
    for news in &mut listeners {
        assert_next(news, FunctionNews::Resync).await;
    }
    let row = create(&store, "f", 1).await;
    let next = FunctionRow { generation: 2, ..row.clone() };
    store.function_put(next, None, 1).await.expect("put");
    assert!(store.function_remove_at(&row.key, row.uid, 2).await.expect("remove"));
    let row = create(&store, "f", 2).await;
    assert!(store.function_remove(&row.key, row.uid).await.expect("remove"));
    for news in &mut listeners {
        for _write in 0..5 {
            assert_next(news, FunctionNews::Changed(key("f"))).await;
        }
        assert_quiet(news).await;
    }
}

pub async fn reports_are_kept_by_worker_and_told_where_they_differ(store: Store) {
    let (f, g) = (create(&store, "f", 1).await, create(&store, "g", 1).await);
    let [a, b] = ["a", "b"].map(|name| WorkerId(name.into()));
    let mut news = store.function_news();
    assert_next(&mut news, FunctionNews::Resync).await;
    store.readiness_put(&a, vec![report(&f, 1)]).await.expect("put");
    assert_next(&mut news, FunctionNews::Reported(f.uid)).await;
    store.readiness_put(&b, vec![report(&f, 2)]).await.expect("put");
    assert_next(&mut news, FunctionNews::Reported(f.uid)).await;
    store.readiness_put(&a, vec![report(&f, 1), report(&g, 5)]).await.expect("put");
    assert_next(&mut news, FunctionNews::Reported(g.uid)).await;
    store.readiness_put(&b, vec![]).await.expect("a word without a report");
    assert_quiet(&mut news).await;

    let rows = store.readiness_of(f.uid).await.expect("of");
    let seen: Vec<_> =
        rows.iter().map(|row| (row.worker.as_str(), row.version, row.readiness.ready_copies)).collect();
    assert_eq!(seen, [("a", VersionNumber(1), 1), ("b", VersionNumber(1), 2)]);
    assert!(rows.iter().all(|row| row.silent < Duration::from_secs(60)));
    assert_eq!(store.readiness_all().await.expect("all").len(), 3);
    store.readiness_put(&a, vec![report(&f, 7)]).await.expect("put");
    assert_next(&mut news, FunctionNews::Reported(f.uid)).await;
    let copies: u32 =
        store.readiness_of(f.uid).await.expect("of").iter().map(|row| row.readiness.ready_copies).sum();
    assert_eq!(copies, 9);
}

pub async fn what_was_reported_goes_with_the_function(store: Store) {
    let (f, g) = (create(&store, "f", 1).await, create(&store, "g", 1).await);
    let worker = WorkerId("a".into());
    store
        .readiness_put(&worker, vec![report(&row("unknown", 1), 1), report(&f, 1), report(&g, 1)])
        .await
        .expect("put");
    assert_eq!(store.readiness_all().await.expect("all").len(), 2);
    assert!(store.function_remove_at(&f.key, f.uid, 1).await.expect("remove"));
    store.readiness_put(&worker, vec![report(&f, 2)]).await.expect("too late is fine");
    let left = store.readiness_all().await.expect("all");
    assert_eq!(left.iter().map(|row| row.uid).collect::<Vec<_>>(), [g.uid]);
}

/// A test for each function of this module. `$new` makes `(Arc<dyn SharedFunctionStore>, guard)`, new and empty.
#[macro_export]
macro_rules! shared_function_store_suite {
    ($new:expr) => {
        $crate::shared_function_store_suite!(@tests $new;
            a_function_is_read_as_it_was_written
            a_write_planned_on_another_function_is_refused
            no_version_number_is_given_twice
            only_the_generation_that_was_read_is_removed
            every_write_is_told_to_every_listener
            reports_are_kept_by_worker_and_told_where_they_differ
            what_was_reported_goes_with_the_function
        );
    };
    (@tests $new:expr; $($name:ident)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let (store, _guard) = $new;
            $crate::contract::registry::shared_store::$name(store).await;
        }
    )+};
}
