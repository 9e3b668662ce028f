//! The PostgreSQL adapter against the contract of its port, and what is its own: on a real server.

mod faults;
mod races;
mod shared;
mod start;

use eventflow_domain::ports::Clock;
use eventflow_store::{PostgresOptions, PostgresStore, TimeSource};
use eventflow_testkit::ManualClock;
use eventflow_testkit::contract::store::Room;
use eventflow_testkit::servers::postgres::{self, PostgresServer};
use std::sync::Arc;
use tokio::sync::OnceCell;

/// One for all tests of this process, but for those that harm it.
static SERVER: OnceCell<PostgresServer> = OnceCell::const_new();

/// A database with the schema, and nobody connected.
const TEMPLATE: &str = "migrated";

async fn server() -> &'static PostgresServer {
    SERVER
        .get_or_init(|| async {
            let server = PostgresServer::start(postgres::PostgresOptions::default()).await;
            server.sql("postgres", &format!("CREATE DATABASE {TEMPLATE} TEMPLATE template0")).await;
            let store = open(&server.url_of(TEMPLATE), &Arc::new(ManualClock::default())).await;
            store.close().await;
            server
        })
        .await
}

fn options(clock: &Arc<ManualClock>) -> PostgresOptions {
    let time = TimeSource::Clock(Arc::clone(clock) as Arc<dyn Clock>);
    PostgresOptions { time, forgetful: true, ..PostgresOptions::default() }
}

pub(super) async fn open(url: &str, clock: &Arc<ManualClock>) -> PostgresStore {
    PostgresStore::open(url, options(clock)).await.expect("should open")
}

/// A database of one test.
pub(super) struct Database {
    name: String,
    pub(super) url: String,
}

impl Database {
    pub(super) async fn new() -> Self {
        let server = server().await;
        let name = server.fresh_database(Some(TEMPLATE)).await;
        let url = server.url_of(&name);
        Self { name, url }
    }

    /// As another program would, beside the store.
    async fn sql(&self, sql: &str) -> String {
        server().await.sql(&self.name, sql).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(server) = SERVER.get() {
            server.drop_database(&self.name);
        }
    }
}

async fn setup() -> (Database, Room) {
    let (database, [room]) = rooms().await;
    (database, room)
}

/// Several stores, as of several processes, on one database and one clock.
async fn rooms<const N: usize>() -> (Database, [Room; N]) {
    let database = Database::new().await;
    let clock = Arc::new(ManualClock::default());
    let mut rooms = Vec::new();
    for _ in 0..N {
        let store = Arc::new(open(&database.url, &clock).await);
        rooms.push(Room { store, clock: Arc::clone(&clock) });
    }
    (database, rooms.try_into().expect("as many"))
}

mod contract {
    use super::setup;
    eventflow_testkit::store_contract!(setup);
}
