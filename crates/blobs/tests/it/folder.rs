//! The contract against a folder, and what is its own.

use crate::shared;
use eventflow_blobs::FolderBlobs;
use eventflow_domain::Timestamp;
use eventflow_domain::ports::Blobs;
use eventflow_testkit::contract::blobs::{arriving, keys, pattern, read};
use futures::StreamExt;
use futures::stream;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::timeout;

async fn folder() -> (Arc<dyn Blobs>, TempDir) {
    let home = TempDir::new().expect("a folder");
    let blobs = FolderBlobs::open(home.path().join("blobs")).await.expect("open");
    (Arc::new(blobs), home)
}

eventflow_testkit::blobs_suite!(folder().await);

fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path.file_name().expect("a name").to_string_lossy().into_owned());
        }
    }
    found
}

#[tokio::test]
async fn a_put_that_fails_leaves_no_file() {
    let (blobs, home) = folder().await;
    for size in [10, 3 << 20] {
        blobs.put("payloads/x", arriving(&pattern(size), 4096), 5).await.expect_err("too large");
        blobs.put_artifact(arriving(&pattern(size), 4096), 5).await.expect_err("too large");
    }
    assert_eq!(files(home.path()), [""; 0]);
}

#[tokio::test]
async fn opening_removes_what_interrupted_puts_left_and_nothing_else() {
    let (blobs, home) = folder().await;
    blobs.put("payloads/whole", arriving(b"whole", 9), 9).await.expect("put");
    drop(blobs);
    let path = home.path().join("blobs");
    fs::create_dir_all(path.join("Incoming")).expect("a folder");
    for leftover in ["payloads/x#1", "payloads/x#2", "Incoming/0a", "Incoming/0b#1"] {
        fs::write(path.join(leftover), "half").expect("write");
    }
    let blobs = FolderBlobs::open(&path).await.expect("open");
    assert_eq!(files(&path), ["whole"]);
    assert_eq!(read(&blobs, "payloads/whole").await, b"whole");
}

/// Two values on one folder, as of two processes.
async fn both() -> (FolderBlobs, FolderBlobs, TempDir) {
    let home = TempDir::new().expect("a folder");
    let open = || async { FolderBlobs::open(home.path()).await.expect("open") };
    (open().await, open().await, home)
}

#[tokio::test]
async fn opening_spares_what_others_are_putting() {
    let (one, _, home) = both().await;
    let more = || futures::stream::once(tokio::time::sleep(Duration::from_millis(500)));
    let late = |bytes: &[u8]| {
        let rest = bytes.to_vec();
        let rest = more().map(move |()| Ok(rest.clone().into()));
        arriving(&pattern(3 << 20), 1 << 16).chain(rest).boxed()
    };
    let open = async {
        while files(home.path()).len() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        FolderBlobs::open(home.path()).await.expect("open");
        assert_eq!(files(home.path()).len(), 2);
    };
    let (put, artifact, ()) = tokio::join!(
        one.put("payloads/x", late(b"end"), u64::MAX),
        one.put_artifact(late(b"end"), u64::MAX),
        open
    );
    assert_eq!(put.expect("put"), (3 << 20) + 3);
    assert_eq!(artifact.expect("put").1, (3 << 20) + 3);
}

#[tokio::test]
async fn ages_are_acted_on_by_one_process_at_a_time() {
    let (blobs, _, home) = both().await;
    let (digest, _) = blobs.put_artifact(arriving(b"code", 4), 4).await.expect("put");
    let key = format!("artifacts/{}", digest.hex());
    let other = fs::File::open(home.path().join("Ages")).expect("a folder");
    other.lock().expect("locked");
    let wait = Duration::from_millis(100);
    assert!(timeout(wait, blobs.touch(&key)).await.is_err(), "it waits for the other");
    assert!(timeout(wait, blobs.delete_older(&key, Timestamp::default())).await.is_err(), "it waits");
    assert!(timeout(wait, blobs.put_artifact(arriving(b"code", 4), 4)).await.is_err(), "it waits");
    shared::unavailable(Duration::from_secs(10), "touch", blobs.touch(&key)).await;
    other.unlock().expect("unlocked");
    blobs.touch(&key).await.expect("there");
    assert!(!blobs.delete_older(&key, Timestamp::default()).await.expect("fine"));
}

#[tokio::test]
async fn a_touch_holds_against_the_collection_of_another_process() {
    let (one, other, _home) = both().await;
    shared::a_touch_holds_against_the_collection_of_another(&one, &other).await;
}

#[tokio::test]
async fn an_artifact_uploaded_again_holds_against_the_collection_of_another_process() {
    let (one, other, _home) = both().await;
    shared::an_artifact_uploaded_again_holds_against_a_collection(&one, &other).await;
}

#[tokio::test]
async fn what_is_being_put_is_not_listed() {
    let (blobs, _home) = folder().await;
    let stalled = || arriving(&pattern(3 << 20), 1 << 16).chain(stream::pending()).boxed();
    let mut puts = [blobs.put("payloads/x", stalled(), u64::MAX), {
        let artifact = blobs.put_artifact(stalled(), u64::MAX);
        Box::pin(async { artifact.await.map(|(_, size)| size) })
    }];
    for put in &mut puts {
        assert!(timeout(Duration::from_millis(300), put).await.is_err());
    }
    assert!(keys(&*blobs, "").await.is_empty());
}

#[tokio::test]
async fn the_folder_is_ours_alone() {
    let home = TempDir::new().expect("a folder");
    let path = home.path().join("a/blobs");
    fs::create_dir_all(&path).expect("a folder");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("open to all");
    FolderBlobs::open(&path).await.expect("open");
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn a_file_that_was_cut_is_an_error_and_not_a_shorter_blob() {
    let (blobs, home) = folder().await;
    blobs.put("results/x", arriving(&pattern(1 << 20), 1 << 16), u64::MAX).await.expect("put");
    let (size, mut bytes) = blobs.get("results/x").await.expect("get");
    let file = fs::File::options().write(true).open(home.path().join("blobs/results/x")).expect("a file");
    file.set_len(100).expect("cut");
    let (mut read, mut failed) = (0, false);
    while let Some(piece) = bytes.next().await {
        match piece {
            Ok(piece) => read += piece.len() as u64,
            Err(_) => failed = true,
        }
    }
    assert!(failed && read < size);
}
