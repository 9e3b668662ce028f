//! Registries of several processes over a real PostgreSQL.

use super::shared::World;
use eventflow_domain::ErrorKind;
use eventflow_domain::ports::{FunctionRegistry as _, SharedFunctionStore};
use eventflow_registry::{Options, SharedRegistry};
use eventflow_store::{PostgresOptions, PostgresStore};
use eventflow_testkit::contract::registry::{apply, variant};
use eventflow_testkit::servers::Signal;
use eventflow_testkit::servers::postgres::{self, PostgresServer};
use eventflow_testkit::{ManualClock, key};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;

/// One for all tests of this process, but for those that harm it.
static SERVER: OnceCell<PostgresServer> = OnceCell::const_new();

/// A database with the schema, and nobody connected.
const TEMPLATE: &str = "migrated";

async fn open(url: &str) -> PostgresStore {
    let deadline = Duration::from_secs(6);
    let options = PostgresOptions { forgetful: true, writers: 2, deadline, ..PostgresOptions::default() };
    PostgresStore::open(url, options).await.expect("should open")
}

async fn start() -> PostgresServer {
    PostgresServer::start(postgres::PostgresOptions::default()).await
}

async fn server() -> &'static PostgresServer {
    let start = || async {
        let server = start().await;
        server.sql("postgres", &format!("CREATE DATABASE {TEMPLATE} TEMPLATE template0")).await;
        open(&server.url_of(TEMPLATE)).await.close().await;
        server
    };
    SERVER.get_or_init(start).await
}

/// A database of one test.
struct Database(String);

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(server) = SERVER.get() {
            server.drop_database(&self.0);
        }
    }
}

async fn world() -> (World<PostgresStore>, Database) {
    let database = Database(server().await.fresh_database(Some(TEMPLATE)).await);
    let world = World::new(open(&server().await.url_of(&database.0)).await);
    (world, database)
}

type Guard = (World<PostgresStore>, Database);

async fn one() -> (Arc<SharedRegistry>, Guard) {
    let (mut world, database) = world().await;
    (world.registry().await, (world, database))
}

/// Each with a store of its own, as two processes have.
async fn two() -> (Arc<SharedRegistry>, Arc<SharedRegistry>, (Guard, World<PostgresStore>)) {
    let (mut world, database) = world().await;
    let mut other = World::new(open(&server().await.url_of(&database.0)).await);
    (world.registry().await, other.registry().await, ((world, database), other))
}

mod contract {
    eventflow_testkit::registry_suite!(super::one().await);
}

mod pair {
    eventflow_testkit::shared_registry_suite!(super::two().await);
}

/// Until both show the same.
async fn same(a: &SharedRegistry, b: &SharedRegistry) {
    let wait = async {
        while a.list(None) != b.list(None) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.expect("both should show the same soon");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_server_is_away_all_is_known_and_then_followed_again() {
    let mut server = start().await;
    let mut world = World::new(open(&server.url()).await);
    let mut other = World::new(open(&server.url()).await);
    let (a, b) = (world.registry().await, other.registry().await);
    let function = a.apply(apply("f", variant(1, 0))).await.expect("apply").function;
    same(&a, &b).await;

    server.signal(Signal::Kill);
    assert_eq!(b.list(None), [Arc::clone(&function)]);
    assert_eq!(b.refresh(&key("f")).await.expect("known"), Some(Arc::clone(&function)));
    let other = key("g");
    let (unknown, written) = tokio::join!(b.refresh(&other), b.apply(apply("f", variant(2, 0))));
    assert_eq!(unknown.expect_err("cannot be seen").kind(), ErrorKind::Unavailable);
    assert_eq!(written.expect_err("cannot be written").kind(), ErrorKind::Unavailable);
    assert_eq!(b.list(None), [function]);

    server.restart().await;
    let again = async {
        while a.apply(apply("f", variant(3, 0))).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), again).await.expect("should be written soon");
    same(&a, &b).await;
    assert_eq!(*b.get(&key("f")).expect("there").spec, variant(3, 0));
}

/// What both do while connections are cut, in an order that differs with `round`.
async fn write(registry: &SharedRegistry, round: u8) {
    let name = format!("f{}", round % 3);
    match round % 7 {
        6 => drop(registry.delete(&key(&name), None).await),
        5 => drop(registry.set_paused(&key(&name), round.is_multiple_of(2)).await),
        _ => drop(registry.apply(apply(&name, variant(round, 0))).await.expect("apply")),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_often_the_news_are_cut_off_both_show_the_same_in_the_end() {
    let (a, b, guard) = two().await;
    let database = &guard.0.1.0;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    for round in 0..40u8 {
        let (one, other) = if round.is_multiple_of(2) { (&a, &b) } else { (&b, &a) };
        tokio::join!(write(one, round), write(other, round.wrapping_mul(3)));
        if round.is_multiple_of(5) {
            server().await.sql(database, cut).await;
        }
    }
    same(&a, &b).await;
    let (late, _following) = {
        let store = Arc::clone(&guard.0.0.store) as Arc<dyn SharedFunctionStore>;
        SharedRegistry::open(store, Arc::new(ManualClock::default()), Options::default()).await.expect("open")
    };
    assert_eq!(late.list(None), a.list(None), "and that is what is stored");
    assert!(!late.list(None).is_empty());
}
