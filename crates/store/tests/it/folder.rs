//! The data folder and the file in it.

use super::{open, open_with};
use eventflow_domain::ports::{Clock, InvocationStore as _};
use eventflow_domain::{Error, ErrorKind};
use eventflow_store::{OpenError, Options, SqliteStore};
use eventflow_testkit::ManualClock;
use eventflow_testkit::contract::store::{Callee, Room};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

async fn refused(folder: &Path) -> OpenError {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::default());
    SqliteStore::open(folder, clock, Options::default()).await.expect_err("should be refused")
}

#[tokio::test]
async fn a_folder_in_use_is_refused_naming_the_owner() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(ManualClock::default());
    let store = open(folder.path(), &clock).await;
    let error = refused(folder.path()).await;
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    assert!(matches!(error, OpenError::Locked { pid: Some(_), .. }));
    store.close().await;
    open(folder.path(), &clock).await;
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(ManualClock::default());
    open(folder.path(), &clock).await.close().await;
    let known = sql(folder.path(), "PRAGMA user_version").await.expect("a version");
    sql(folder.path(), "PRAGMA user_version = 99").await;
    let error = refused(folder.path()).await;
    assert!(matches!(error, OpenError::NewerSchema { found: 99, .. }), "{error}");
    assert_eq!(Error::from(error).kind(), ErrorKind::Unavailable);
    sql(folder.path(), &format!("PRAGMA user_version = {known}")).await;
    open(folder.path(), &clock).await;
}

/// As another program would, beside the store.
pub(super) async fn sql(folder: &Path, sql: &str) -> Option<i64> {
    let file = folder.join("eventflow.db");
    let mut conn =
        sqlx::sqlite::SqliteConnectOptions::new().filename(file).connect().await.expect("should open");
    let row = sqlx::query(AssertSqlSafe(sql)).fetch_optional(&mut conn).await.expect("should run");
    row.and_then(|row| row.try_get(0).ok())
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("should be written");
    let error = refused(&file).await;
    assert!(matches!(error, OpenError::Folder { .. }), "{error:?}");
    assert!(error.to_string().contains("file"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("eventflow.db");
    std::fs::write(&file, "not a database".repeat(100)).expect("should be written");
    assert!(matches!(refused(folder.path()).await, OpenError::Database(_)));
    assert!(std::fs::read_to_string(&file).expect("should be read").starts_with("not a database"));
}

#[tokio::test]
async fn folder_and_files_are_for_this_user_alone() {
    let parent = tempfile::tempdir().expect("a folder");
    let folder = parent.path().join("data");
    let clock = Arc::new(ManualClock::default());
    let store = open(&folder, &clock).await;
    store.ping().await.expect("should be written");
    let mode = |path: &Path| std::fs::metadata(path).expect("should be there").permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for name in ["eventflow.db", "eventflow.db-wal", "eventflow.db-shm", "eventflow.lock"] {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn rows_survive_a_close_and_a_drop_without_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(ManualClock::default());
    let mut ids = Vec::new();
    for close in [true, false, true] {
        let store = Arc::new(reopen(folder.path(), &clock).await);
        let room = Room { store: Arc::clone(&store) as _, clock: Arc::clone(&clock) };
        for id in &ids {
            assert!(room.store.get(*id).await.expect("should be read").is_some());
        }
        ids.push(room.accepted(&Callee::new("f")).await);
        if close {
            store.close().await;
            let late = store.accept(room.call(&Callee::new("f"))).await.expect_err("is closed");
            assert_eq!(late.kind(), ErrorKind::Unavailable);
            assert_eq!(
                store.get(room.call(&Callee::new("f")).id).await.expect_err("is closed").kind(),
                ErrorKind::Unavailable
            );
            store.close().await;
        }
    }
}

/// The lock of a dropped store goes when its writer has ended.
pub(super) async fn reopen(folder: &Path, clock: &Arc<ManualClock>) -> SqliteStore {
    for _ in 0..200 {
        match SqliteStore::open(folder, Arc::clone(clock) as Arc<dyn Clock>, Options::default()).await {
            Err(OpenError::Locked { .. }) => tokio::time::sleep(Duration::from_millis(10)).await,
            opened => return opened.expect("should open"),
        }
    }
    panic!("a dropped store should let go of its folder");
}

#[tokio::test]
async fn a_write_that_the_disk_has_no_room_for_is_unavailable_and_the_store_recovers() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(ManualClock::default());
    let options = Options { max_pages: Some(100), ..Options::default() };
    let store = Arc::new(open_with(folder.path(), &clock, options).await);
    let room = Room { store: Arc::clone(&store) as _, clock };
    let callee = Callee::new("f");
    let mut accepted = Vec::new();
    let full = loop {
        let content =
            eventflow_domain::invocation::Content { bytes: vec![1; 4000].into(), content_type: None };
        let payload = eventflow_domain::invocation::Stored::inline(content);
        let call = eventflow_domain::ports::NewInvocation { payload, ..room.call(&callee) };
        let id = call.id;
        match store.accept(call).await {
            Ok(_) => accepted.push(id),
            Err(error) => break error,
        }
        assert!(accepted.len() < 1000, "the bound should be met");
    };
    assert_eq!(full.kind(), ErrorKind::Unavailable);
    assert!(full.retryable() && !full.message().contains("SQL"), "{full}");
    for id in accepted {
        room.get(id).await;
    }
    let cancelled = store.cancel_function(callee.uid, 1).await.expect("a change that needs no room");
    assert_eq!(cancelled.len(), 1);
}
