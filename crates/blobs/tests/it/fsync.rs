//! The guard "durable when `put` returns", and its negative test: switched off, the directory is not synced.
//!
//! A sync of a directory opens it, which inotify tells of.

use eventflow_blobs::{FolderBlobs, Options};
use eventflow_domain::ports::Blobs;
use eventflow_testkit::contract::blobs::{arriving, pattern};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use tempfile::TempDir;

fn watch(folder: &Path) -> OwnedFd {
    fs::create_dir_all(folder).expect("a folder");
    let watch = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).expect("inotify");
    inotify::add_watch(&watch, folder, WatchFlags::OPEN).expect("a watch");
    watch
}

/// Whether the watched folder itself was opened since the last look.
fn was_synced(watch: &OwnedFd) -> bool {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(watch, &mut buffer);
    let mut synced = false;
    loop {
        match events.next() {
            Ok(event) => synced |= event.events().contains(ReadFlags::OPEN | ReadFlags::ISDIR),
            Err(Errno::WOULDBLOCK) => return synced,
            Err(error) => panic!("failed to read inotify: {error}"),
        }
    }
}

/// Whether puts of all kinds sync the directory they write to.
async fn syncs(options: Options) -> Vec<bool> {
    let home = TempDir::new().expect("a folder");
    let blobs = FolderBlobs::open_with(home.path(), options).await.expect("open");
    let payloads = watch(&home.path().join("payloads"));
    let artifacts = watch(&home.path().join("artifacts"));
    let mut seen = Vec::new();
    for size in [10, 3 << 20] {
        let bytes = || arriving(&pattern(size), 1 << 16);
        blobs.put("payloads/x", bytes(), u64::MAX).await.expect("put");
        seen.push(was_synced(&payloads));
        blobs.put_artifact(bytes(), u64::MAX).await.expect("put");
        seen.push(was_synced(&artifacts));
    }
    seen
}

#[tokio::test]
async fn a_put_that_returned_is_synced_unless_that_is_switched_off() {
    assert!(Options::default().fsync);
    assert_eq!(syncs(Options::default()).await, [true; 4]);
    assert_eq!(syncs(Options { fsync: false }).await, [false; 4]);
}
