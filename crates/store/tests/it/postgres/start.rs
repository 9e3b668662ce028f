//! What is asserted before the first call.

use super::{Database, TEMPLATE, open, options, server};
use eventflow_domain::{Error, ErrorKind};
use eventflow_store::{PostgresOpenError, PostgresOptions, PostgresStore};
use eventflow_testkit::ManualClock;
use futures::future::join_all;
use std::sync::Arc;

async fn refused(url: &str, options: PostgresOptions) -> PostgresOpenError {
    PostgresStore::open(url, options).await.expect_err("should be refused")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_that_start_at_once_migrate_once() {
    let server = server().await;
    let name = server.fresh_database(None).await;
    let (url, clock) = (server.url_of(&name), Arc::new(ManualClock::default()));
    let stores = join_all((0..6).map(|_| open(&url, &clock))).await;
    join_all(stores.iter().map(PostgresStore::close)).await;
    let schema = "SELECT count(*), max(version) FROM eventflow_schema";
    assert_eq!(server.sql(&name, schema).await, server.sql(TEMPLATE, schema).await);
    assert_eq!(server.sql(&name, "SELECT count(*) FROM eventflow_schema").await, "1");
    server.drop_database(&name);
}

#[tokio::test]
async fn a_newer_schema_is_refused_unless_it_says_that_this_version_can_read_it() {
    let database = Database::new().await;
    let clock = Arc::new(ManualClock::default());
    database.sql("UPDATE eventflow_schema SET version = 99, readable_by = 98").await;
    let error = refused(&database.url, options(&clock)).await;
    assert!(matches!(error, PostgresOpenError::NewerSchema { found: 99, oldest: 98, .. }), "{error}");
    assert!(error.to_string().contains("schema 99, this one knows "), "{error}");
    assert_eq!(Error::from(error).kind(), ErrorKind::Unavailable);
    database.sql("UPDATE eventflow_schema SET readable_by = 1").await;
    open(&database.url, &clock).await.close().await;
    assert_eq!(database.sql("SELECT version FROM eventflow_schema").await, "99", "it is left alone");
}

#[tokio::test]
async fn a_database_that_may_forget_commits_is_refused() {
    let database = Database::new().await;
    let clock = Arc::new(ManualClock::default());
    for weaker in ["off", "local", "remote_write"] {
        let alter = format!("ALTER DATABASE {} SET synchronous_commit = {weaker}", database.name);
        database.sql(&alter).await;
        let error = refused(&database.url, options(&clock)).await.to_string();
        let told = format!("synchronous_commit is {weaker}, on or remote_apply is wanted");
        assert!(error.contains(&told), "{error}");
    }
    let durable = PostgresOptions { forgetful: false, ..options(&clock) };
    database.sql(&format!("ALTER DATABASE {} RESET synchronous_commit", database.name)).await;
    let error = refused(&database.url, durable).await.to_string();
    assert!(error.contains("fsync is off, on is wanted"), "{error}");
}

#[tokio::test]
async fn a_read_only_database_is_refused() {
    let database = Database::new().await;
    database.sql(&format!("ALTER DATABASE {} SET default_transaction_read_only = on", database.name)).await;
    let error = refused(&database.url, options(&Arc::default())).await;
    assert!(matches!(error, PostgresOpenError::ReadOnly), "{error}");
}

#[tokio::test]
async fn what_cannot_be_reached_or_read_is_told() {
    let server = server().await;
    let clock = Arc::new(ManualClock::default());
    let error = refused("http://x", options(&clock)).await;
    assert!(matches!(error, PostgresOpenError::Url(_)), "{error}");
    let error = refused(&server.url_of("nobody_made_it"), options(&clock)).await;
    assert!(matches!(error, PostgresOpenError::Database(_)), "{error}");
}

#[tokio::test]
async fn the_script_makes_role_and_database_once_and_again() {
    let server = server().await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/init-db.sql");
    for _ in 0..2 {
        server.script(script, &[("database", "made"), ("role", "maker"), ("password", "it's secret")]).await;
    }
    let owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'made'";
    assert_eq!(server.sql(TEMPLATE, owner).await, "maker");
    let url = server.url_of("made").replace("postgres@", "maker@");
    PostgresStore::open(&url, options(&Arc::default())).await.expect("should open").close().await;
    server.drop_database("made");
}
