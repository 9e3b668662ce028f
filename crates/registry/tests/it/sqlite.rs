//! The contract over the real store.

use eventflow_domain::ports::FunctionRegistry;
use eventflow_registry::SqlRegistry;
use eventflow_store::{Options, SqliteStore};
use eventflow_testkit::ManualClock;
use eventflow_testkit::contract::registry::{apply, variant};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

async fn over(folder: &Path) -> (SqlRegistry, SqliteStore) {
    let clock = Arc::new(ManualClock::default());
    let store = SqliteStore::open(folder, clock.clone(), Options::default()).await.expect("open the store");
    (SqlRegistry::open(Arc::new(store.clone()), clock).await.expect("open"), store)
}

async fn registry() -> (Arc<dyn FunctionRegistry>, TempDir) {
    let home = TempDir::new().expect("a folder");
    let (registry, _) = over(home.path()).await;
    (Arc::new(registry), home)
}

eventflow_testkit::registry_suite!(registry().await);

#[tokio::test]
async fn two_functions_survive_a_restart() {
    let home = TempDir::new().expect("a folder");
    let (before, store) = over(home.path()).await;
    for (name, code) in [("f", 1), ("f", 2), ("g", 1)] {
        before.apply(apply(name, variant(code, 0))).await.expect("apply");
    }
    let declared = before.list(None);
    store.close().await;
    let (after, _) = over(home.path()).await;
    assert_eq!(after.list(None), declared);
}
