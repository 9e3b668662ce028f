//! Functions shared by many processes: the contract, and how news survive what happens to a connection.

use super::{Database, open, options};
use eventflow_domain::ports::{FunctionNews, FunctionStore as _, ReadinessReport, SharedFunctionStore};
use eventflow_domain::{FunctionKey, FunctionUid, Readiness, WorkerId};
use eventflow_store::{PostgresOptions, PostgresStore};
use eventflow_testkit::contract::registry::shared_store::{create, next_but_numbers};
use eventflow_testkit::key;
use eventflow_testkit::servers::Signal;
use eventflow_testkit::servers::postgres::{self, PostgresServer};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use std::sync::Arc;
use std::time::Duration;

async fn store() -> (Arc<PostgresStore>, Database) {
    let database = Database::new().await;
    let store = open(&database.url, &Arc::default()).await;
    (Arc::new(store), database)
}

eventflow_testkit::shared_function_store_suite!(store().await);

async fn next(news: &mut BoxStream<'static, FunctionNews>) -> Option<FunctionNews> {
    tokio::time::timeout(Duration::from_secs(10), next_but_numbers(news)).await.expect("should come soon")
}

fn changed(name: &str) -> FunctionNews {
    FunctionNews::Changed(key(name))
}

async fn make(store: &Arc<PostgresStore>, name: &str) -> (FunctionKey, FunctionUid) {
    let row = create(&(Arc::clone(store) as Arc<dyn SharedFunctionStore>), name, 1).await;
    (row.key, row.uid)
}

const LISTENERS: &str = "FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_lost_its_connection_is_told_that_it_missed_some() {
    let (store, database) = store().await;
    let mut news = store.function_news();
    assert_eq!(next(&mut news).await, Some(FunctionNews::Resync));
    for name in ["f", "g"] {
        database.sql(&format!("SELECT pg_terminate_backend(pid) {LISTENERS}")).await;
        assert_eq!(next(&mut news).await, Some(FunctionNews::Resync));
        make(&store, name).await;
        assert_eq!(next(&mut news).await, Some(changed(name)));
    }
    assert_eq!(database.sql(&format!("SELECT count(*) {LISTENERS}")).await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_says_nothing_any_more_is_noticed() {
    let server = PostgresServer::start(postgres::PostgresOptions::default()).await;
    let options = PostgresOptions { deadline: Duration::from_secs(3), ..options(&Arc::default()) };
    let store = Arc::new(PostgresStore::open(&server.url(), options).await.expect("should open"));
    let mut news = store.function_news();
    assert_eq!(next(&mut news).await, Some(FunctionNews::Resync));
    tokio::time::timeout(Duration::from_secs(3), news.next()).await.expect_err("quiet is fine");
    server.signal(Signal::Stop);
    tokio::time::timeout(Duration::from_secs(4), news.next()).await.expect_err("nobody is there");
    server.signal(Signal::Continue);
    assert_eq!(next(&mut news).await, Some(FunctionNews::Resync), "some may have been lost");
    make(&store, "f").await;
    assert_eq!(next(&mut news).await, Some(changed("f")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_of_other_programs_are_told_too() {
    let (store, database) = store().await;
    make(&store, "f").await;
    let mut news = store.function_news();
    assert_eq!(next(&mut news).await, Some(FunctionNews::Resync));
    database.sql("UPDATE functions SET paused = true, generation = generation + 1").await;
    assert_eq!(next(&mut news).await, Some(changed("f")));
    database.sql("UPDATE functions SET name = 'g'").await;
    assert_eq!(next(&mut news).await, Some(changed("f")));
    assert_eq!(next(&mut news).await, Some(changed("g")));
    database.sql("TRUNCATE functions").await;
    assert_eq!(next(&mut news).await, Some(FunctionNews::Resync));
    assert_eq!(store.function_list().await.expect("list"), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn news_end_with_the_store() {
    let (store, _database) = store().await;
    let mut news = [store.function_news(), store.function_news()];
    assert_eq!(next(&mut news[0]).await, Some(FunctionNews::Resync));
    store.close().await;
    for news in &mut news {
        assert_eq!(next(news).await, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_are_silent_are_seen_as_such_and_forgotten_at_last() {
    let (store, database) = store().await;
    let (_, uid) = make(&store, "f").await;
    let [dead, alive] = ["dead", "alive"].map(|name| WorkerId(name.into()));
    let report =
        ReadinessReport { uid, version: eventflow_domain::VersionNumber(1), readiness: Readiness::default() };
    store.readiness_put(&dead, vec![report.clone()]).await.expect("put");
    let silent = async || -> Vec<u64> {
        let rows = store.readiness_of(uid).await.expect("of");
        rows.iter().map(|row| row.silent.as_secs() / 60).collect()
    };
    database.sql("UPDATE workers SET seen_at = seen_at - interval '5 minutes'").await;
    store.readiness_put(&alive, vec![report]).await.expect("put");
    assert_eq!(silent().await, [0, 5]);
    database.sql("UPDATE workers SET seen_at = seen_at - interval '6 minutes'").await;
    store.readiness_put(&alive, vec![]).await.expect("put");
    assert_eq!(silent().await, [0]);
    assert_eq!(database.sql("SELECT name FROM workers").await, "alive");
    assert_eq!(database.sql("SELECT worker FROM readiness").await, "alive");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reports_and_deletions_at_once_leave_no_report_behind() {
    let (store, database) = store().await;
    let mut functions = Vec::new();
    for number in 0..20 {
        functions.push(make(&store, &format!("f{number}")).await);
    }
    let report = |uid, copies| ReadinessReport {
        uid,
        version: eventflow_domain::VersionNumber(1),
        readiness: Readiness { ready_copies: copies, ..Readiness::default() },
    };
    let uids: Vec<_> = functions.iter().map(|(_, uid)| *uid).collect();
    let reports = (0..40u32).map(|round| {
        let (store, worker) = (Arc::clone(&store), WorkerId(format!("w{}", round % 4).into()));
        let order: Vec<_> = if round % 2 == 0 { uids.clone() } else { uids.iter().rev().copied().collect() };
        async move {
            store.readiness_put(&worker, order.into_iter().map(|uid| report(uid, round)).collect()).await
        }
    });
    let deletions = functions.iter().map(|(key, uid)| store.function_remove_at(key, *uid, 1));
    let (reported, deleted) =
        tokio::join!(futures::future::try_join_all(reports), futures::future::try_join_all(deletions));
    reported.expect("should report");
    assert!(deleted.expect("should delete").into_iter().all(|deleted| deleted));
    assert_eq!(database.sql("SELECT count(*) FROM readiness").await, "0");
}
