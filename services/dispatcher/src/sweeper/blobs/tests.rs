//! What collecting removes and what it leaves.

use super::*;
use eventflow_blobs::FolderBlobs;
use eventflow_testkit::contract::blobs::{arriving, keys};
use std::collections::BTreeSet;
use std::fs::{File, FileTimes};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, UNIX_EPOCH};
use tempfile::TempDir;

const BEFORE: Timestamp = Timestamp::from_millis(1_000_000_000);

async fn blobs(home: &TempDir, keys: &[&str], age: i64) -> FolderBlobs {
    let blobs = FolderBlobs::open(home.path()).await.expect("open");
    for key in keys {
        blobs.put(key, arriving(b"1234", 9), 9).await.expect("put");
        written_at(&home.path().join(key), BEFORE.as_millis() - age);
    }
    blobs
}

fn written_at(path: &Path, millis: i64) {
    let time = UNIX_EPOCH + Duration::from_millis(millis as u64);
    let file = File::options().write(true).open(path).expect("a file");
    file.set_times(FileTimes::new().set_modified(time)).expect("set the time");
}

#[tokio::test]
async fn only_old_blobs_that_nothing_refers_to_are_removed() {
    let home = TempDir::new().expect("a folder");
    let old = [
        "payloads/used",
        "payloads/unused",
        "results/unused",
        "artifacts/used",
        "artifacts/unused",
        "other/x",
    ];
    blobs(&home, &old, 1).await;
    let blobs = blobs(&home, &["payloads/young", "artifacts/young"], 0).await;
    let in_use = async |keys: Vec<BlobKey>| Ok(keys.iter().map(|key| key.ends_with("/used")).collect());
    let collected = collect(&blobs, BEFORE, in_use).await.expect("collect");
    assert_eq!(collected, Collected { removed: 3, bytes: 12, kept: 2 });
    let left = ["artifacts/used", "artifacts/young", "other/x", "payloads/used", "payloads/young"];
    assert_eq!(keys(&blobs, "").await, BTreeSet::from(left.map(str::to_owned)));
}

#[tokio::test]
async fn a_blob_that_is_named_anew_while_it_is_asked_about_stays() {
    let home = TempDir::new().expect("a folder");
    let blobs = blobs(&home, &["artifacts/again", "artifacts/unused"], 1).await;
    let in_use = async |keys: Vec<BlobKey>| {
        blobs.touch("artifacts/again").await.expect("touched");
        Ok(vec![false; keys.len()])
    };
    let collected = collect(&blobs, BEFORE, in_use).await.expect("collect");
    assert_eq!(collected, Collected { removed: 1, bytes: 4, kept: 0 });
    assert_eq!(keys(&blobs, "").await, BTreeSet::from(["artifacts/again".to_owned()]));
}

#[tokio::test]
async fn many_blobs_are_asked_about_in_bounded_batches() {
    let home = TempDir::new().expect("a folder");
    let names: Vec<String> =
        (0..600).map(|number| format!("{}/{number}", PREFIXES[number % PREFIXES.len()])).collect();
    let blobs = blobs(&home, &names.iter().map(String::as_str).collect::<Vec<_>>(), 1).await;
    let asked = Mutex::new(Vec::new());
    let in_use = async |keys: Vec<BlobKey>| {
        asked.lock().expect("a lock").push(keys.len());
        Ok(vec![false; keys.len()])
    };
    assert_eq!(collect(&blobs, BEFORE, in_use).await.expect("collect").removed, 600);
    let asked = asked.into_inner().expect("a lock");
    assert!(asked.iter().all(|&size| (1..=256).contains(&size)), "{asked:?}");
    assert_eq!(asked.iter().sum::<usize>(), 600);
}

#[tokio::test]
async fn without_a_whole_answer_nothing_is_removed() {
    let home = TempDir::new().expect("a folder");
    let blobs = blobs(&home, &["payloads/1", "payloads/2"], 1).await;
    collect(&blobs, BEFORE, async |_| Ok(vec![false])).await.expect_err("one answer for two");
    collect(&blobs, BEFORE, async |_| Err(Error::unavailable("down"))).await.expect_err("no answer");
    assert_eq!(keys(&blobs, "").await.len(), 2);
}
