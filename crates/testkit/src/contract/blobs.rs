//! The contract of the port `Blobs`. [`crate::blobs_suite`] writes a test for each function of this module:
//!
//! ```ignore
//! async fn folder() -> (Arc<dyn Blobs>, TempDir) { … }
//! eventflow_testkit::blobs_suite!(folder().await);
//! ```

use bytes::Bytes;
use eventflow_domain::ports::{Blobs, ByteStream};
use eventflow_domain::{ErrorKind, Timestamp};
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

const MIB: usize = 1 << 20;
const NO_LIMIT: u64 = u64::MAX;

/// Bytes as they come over a network: in chunks of `chunk`.
pub fn arriving(bytes: &[u8], chunk: usize) -> ByteStream {
    let chunks: Vec<_> = bytes.chunks(chunk).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    stream::iter(chunks).boxed()
}

/// The whole blob.
pub async fn read(blobs: &dyn Blobs, key: &str) -> Vec<u8> {
    let (size, bytes) = blobs.get(key).await.expect("should be there");
    let chunks: Vec<Bytes> = bytes.try_collect().await.expect("should be read to its end");
    let bytes = chunks.concat();
    assert_eq!(bytes.len() as u64, size, "the size that was told is the size that came");
    bytes
}

/// Keys under a prefix.
pub async fn keys(blobs: &dyn Blobs, prefix: &str) -> BTreeSet<String> {
    let listed = blobs.list(prefix).await.expect("should list");
    listed.map_ok(|blob| blob.key.as_ref().to_owned()).try_collect().await.expect("should list to the end")
}

/// Bytes that differ from place to place.
pub fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 + at / 251) as u8).collect()
}

async fn assert_absent(blobs: &dyn Blobs, key: &str) {
    let error = blobs.get(key).await.err().expect("should not be there");
    assert_eq!((error.kind(), error.reason()), (ErrorKind::NotFound, "BlobNotFound"));
    assert!(keys(blobs, "").await.is_empty(), "nothing else is listed");
}

pub async fn what_was_put_is_read_whole_at_every_size(blobs: Arc<dyn Blobs>) {
    for size in [0, 1, 1023, MIB - 1, MIB, MIB + 1, 5 * MIB + 17] {
        for chunk in [size.max(1), 64 << 10, 1 << 18] {
            let (key, bytes) = (format!("payloads/{size}-{chunk}"), pattern(size));
            assert_eq!(
                blobs.put(&key, arriving(&bytes, chunk), size as u64).await.expect("put"),
                size as u64
            );
            assert!(read(&*blobs, &key).await == bytes, "{size} bytes in chunks of {chunk}");
        }
    }
}

pub async fn a_sender_of_single_bytes_is_heard_out(blobs: Arc<dyn Blobs>) {
    let bytes = pattern(5000);
    blobs.put("payloads/slow", arriving(&bytes, 1), NO_LIMIT).await.expect("put");
    assert!(read(&*blobs, "payloads/slow").await == bytes);
}

pub async fn more_than_the_limit_is_refused_and_nothing_is_kept(blobs: Arc<dyn Blobs>) {
    for size in [11, 3 * MIB] {
        let limit = size as u64 - 1;
        let error =
            blobs.put("payloads/x", arriving(&pattern(size), 4096), limit).await.expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert_eq!(error.metadata().get("limit"), Some(&limit.to_string()));
        let error = blobs.put_artifact(arriving(&pattern(size), 4096), limit).await.expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert_absent(&*blobs, "payloads/x").await;
    }
}

/// The stream without an end is read no further than the limit.
pub async fn a_stream_without_an_end_is_refused(blobs: Arc<dyn Blobs>) {
    let endless = stream::repeat_with(|| Ok(Bytes::from_static(&[7; 4096]))).boxed();
    let error = blobs.put("payloads/x", endless, 2 * MIB as u64).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_absent(&*blobs, "payloads/x").await;
}

pub async fn bytes_that_break_off_leave_nothing(blobs: Arc<dyn Blobs>) {
    for size in [100, 3 * MIB] {
        let broken = || {
            let reset = stream::iter([Err(io::Error::from(io::ErrorKind::ConnectionReset))]);
            arriving(&pattern(size), 4096).chain(reset).boxed()
        };
        blobs.put("payloads/x", broken(), NO_LIMIT).await.expect_err("should break off");
        blobs.put_artifact(broken(), NO_LIMIT).await.expect_err("should break off");
        assert_absent(&*blobs, "payloads/x").await;
    }
}

/// The caller hangs up while bytes still come.
pub async fn a_put_that_is_dropped_leaves_nothing(blobs: Arc<dyn Blobs>) {
    for size in [100, 3 * MIB] {
        let stalled = || arriving(&pattern(size), 4096).chain(stream::pending()).boxed();
        let wait = Duration::from_millis(200);
        let put = tokio::time::timeout(wait, blobs.put("payloads/x", stalled(), NO_LIMIT)).await;
        assert!(put.is_err(), "it waits for the rest");
        let put = tokio::time::timeout(wait, blobs.put_artifact(stalled(), NO_LIMIT)).await;
        assert!(put.is_err(), "it waits for the rest");
        assert_absent(&*blobs, "payloads/x").await;
    }
}

pub async fn the_same_put_again_is_fine(blobs: Arc<dyn Blobs>) {
    for _ in 0..2 {
        blobs.put("results/1", arriving(b"same", 2), NO_LIMIT).await.expect("put");
        assert_eq!(read(&*blobs, "results/1").await, b"same");
    }
}

pub async fn an_artifact_is_known_by_its_content(blobs: Arc<dyn Blobs>) {
    let of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    for chunk in [1, 3] {
        let (digest, size) = blobs.put_artifact(arriving(b"abc", chunk), NO_LIMIT).await.expect("put");
        assert_eq!((digest.hex().as_str(), size), (of_abc, 3));
    }
    let key = format!("artifacts/{of_abc}");
    assert_eq!(read(&*blobs, &key).await, b"abc");
    assert_eq!(keys(&*blobs, "").await, BTreeSet::from([key]), "stored once, and nothing beside it");
}

pub async fn one_artifact_put_by_many_at_once_is_stored_once(blobs: Arc<dyn Blobs>) {
    let bytes = pattern(2 * MIB);
    let puts = (0..8).map(|_| blobs.put_artifact(arriving(&bytes, 64 << 10), NO_LIMIT));
    let digests: BTreeSet<_> = futures::future::try_join_all(puts)
        .await
        .expect("put")
        .into_iter()
        .map(|(digest, _)| digest)
        .collect();
    let digest = digests.first().expect("a digest");
    assert_eq!(digests.len(), 1);
    let key = format!("artifacts/{}", digest.hex());
    assert!(read(&*blobs, &key).await == bytes);
    assert_eq!(keys(&*blobs, "artifacts").await, BTreeSet::from([key]));
}

pub async fn a_deleted_blob_is_gone_and_deleting_it_again_is_fine(blobs: Arc<dyn Blobs>) {
    blobs.put("payloads/x", arriving(b"x", 1), NO_LIMIT).await.expect("put");
    for _ in 0..2 {
        blobs.delete("payloads/x").await.expect("delete");
        assert_absent(&*blobs, "payloads/x").await;
    }
}

/// Work that reads while a collection runs gets its bytes.
pub async fn a_blob_deleted_while_it_is_read_is_read_whole_or_fails(blobs: Arc<dyn Blobs>) {
    let bytes = pattern(4 * MIB);
    blobs.put("payloads/x", arriving(&bytes, 1 << 18), NO_LIMIT).await.expect("put");
    let (_, stream) = blobs.get("payloads/x").await.expect("there");
    blobs.delete("payloads/x").await.expect("delete");
    if let Ok(read) = stream.try_collect::<Vec<Bytes>>().await {
        assert!(read.concat() == bytes, "never less than the whole");
    }
}

/// The age of a blob, as a list tells it.
async fn modified(blobs: &dyn Blobs, key: &str) -> Timestamp {
    let listed: Vec<_> = blobs.list("").await.expect("list").try_collect().await.expect("list");
    listed.into_iter().find(|blob| &*blob.key == key).expect("should be listed").modified_at
}

/// Long enough for the clock of any file system to have moved on.
const TICK: Duration = Duration::from_millis(20);

pub async fn a_collection_removes_what_is_older_and_nothing_else(blobs: Arc<dyn Blobs>) {
    blobs.put("payloads/x", arriving(b"x", 1), NO_LIMIT).await.expect("put");
    let written = modified(&*blobs, "payloads/x").await;
    assert!(!blobs.delete_older("payloads/x", written).await.expect("fine"), "as old is not older");
    assert_eq!(read(&*blobs, "payloads/x").await, b"x");
    let later = written + Duration::from_millis(1);
    assert!(blobs.delete_older("payloads/x", later).await.expect("fine"));
    assert_absent(&*blobs, "payloads/x").await;
    assert!(!blobs.delete_older("payloads/x", later).await.expect("absent is fine"));
}

pub async fn a_touched_blob_is_young_again_and_has_its_bytes(blobs: Arc<dyn Blobs>) {
    let (digest, _) = blobs.put_artifact(arriving(b"code", 4), NO_LIMIT).await.expect("put");
    let key = format!("artifacts/{}", digest.hex());
    let written = modified(&*blobs, &key).await;
    for again in ["touched", "uploaded"] {
        tokio::time::sleep(TICK).await;
        let before = modified(&*blobs, &key).await + Duration::from_micros(1);
        match again {
            "touched" => blobs.touch(&key).await.expect("there"),
            _ => drop(blobs.put_artifact(arriving(b"code", 4), NO_LIMIT).await.expect("put")),
        }
        assert!(modified(&*blobs, &key).await > written, "{again}");
        assert!(!blobs.delete_older(&key, before).await.expect("fine"), "{again} since it was found old");
        assert_eq!(read(&*blobs, &key).await, b"code");
    }
}

pub async fn what_is_not_there_cannot_be_touched(blobs: Arc<dyn Blobs>) {
    let error = blobs.touch("artifacts/00").await.expect_err("nothing is there");
    assert_eq!((error.kind(), error.reason()), (ErrorKind::NotFound, "BlobNotFound"));
    assert_absent(&*blobs, "artifacts/00").await;
}

/// A touch that returned holds, and one that came too late says so: never is a touched blob gone.
pub async fn a_touch_and_a_collection_at_once_never_lose_a_blob(blobs: Arc<dyn Blobs>) {
    let (mut held, mut late) = (0, 0);
    for round in 0..40 {
        let key = format!("artifacts/{round:02x}");
        blobs.put(&key, arriving(b"code", 4), NO_LIMIT).await.expect("put");
        let found_old = modified(&*blobs, &key).await + Duration::from_micros(1);
        tokio::time::sleep(TICK).await;
        let (touched, removed) = if round % 2 == 0 {
            tokio::join!(blobs.touch(&key), blobs.delete_older(&key, found_old))
        } else {
            let (removed, touched) = tokio::join!(blobs.delete_older(&key, found_old), blobs.touch(&key));
            (touched, removed)
        };
        match (touched, removed.expect("fine")) {
            (Ok(()), removed) => {
                held += 1;
                assert!(!removed, "round {round}: touched and removed");
                assert_eq!(read(&*blobs, &key).await, b"code", "round {round}");
            }
            (Err(error), removed) => {
                late += 1;
                assert_eq!((error.kind(), removed), (ErrorKind::NotFound, true), "round {round}");
            }
        }
    }
    assert!(held + late == 40 && held > 0, "{held} held, {late} came too late");
}

pub async fn a_prefix_lists_whole_segments_only(blobs: Arc<dyn Blobs>) {
    for key in ["payloads/1", "payloads/2", "payloads2/3", "results/1"] {
        blobs.put(key, arriving(key.as_bytes(), 100), NO_LIMIT).await.expect("put");
    }
    let payloads = BTreeSet::from(["payloads/1".to_owned(), "payloads/2".to_owned()]);
    assert_eq!(keys(&*blobs, "payloads").await, payloads);
    assert_eq!(keys(&*blobs, "payloads/").await, payloads);
    assert_eq!(keys(&*blobs, "").await.len(), 4);
    assert!(keys(&*blobs, "nothing").await.is_empty());
    let listed: Vec<_> = blobs.list("results").await.expect("list").try_collect().await.expect("list");
    assert_eq!(listed.iter().map(|blob| blob.size).collect::<Vec<_>>(), [9]);
    assert!(listed.iter().all(|blob| blob.modified_at.as_millis() > 1_700_000_000_000));
}

pub async fn nothing_but_a_key_reaches_the_store(blobs: Arc<dyn Blobs>) {
    for key in ["", "../x", "a/../../x", "/etc/passwd", "a//b", "A", "a\0b", "a%2fb", "a#1", "a/.", "ü"] {
        let errors = [
            blobs.put(key, arriving(b"x", 1), NO_LIMIT).await.err(),
            blobs.get(key).await.err(),
            blobs.delete(key).await.err(),
            blobs.touch(key).await.err(),
            blobs.delete_older(key, Timestamp::from_millis(i64::MAX / 2000)).await.err(),
        ];
        for error in errors {
            assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Invalid), "{key:?}");
        }
    }
    assert!(blobs.list("..").await.is_err());
    assert!(keys(&*blobs, "").await.is_empty());
}

/// A test for each part of the contract of `Blobs`. `$new` makes a new empty store as `(Arc<dyn Blobs>, guard)`.
#[macro_export]
macro_rules! blobs_suite {
    ($new:expr) => {
        $crate::blobs_suite!($new;
            what_was_put_is_read_whole_at_every_size,
            a_sender_of_single_bytes_is_heard_out,
            more_than_the_limit_is_refused_and_nothing_is_kept,
            a_stream_without_an_end_is_refused,
            bytes_that_break_off_leave_nothing,
            a_put_that_is_dropped_leaves_nothing,
            the_same_put_again_is_fine,
            an_artifact_is_known_by_its_content,
            one_artifact_put_by_many_at_once_is_stored_once,
            a_deleted_blob_is_gone_and_deleting_it_again_is_fine,
            a_blob_deleted_while_it_is_read_is_read_whole_or_fails,
            a_collection_removes_what_is_older_and_nothing_else,
            a_touched_blob_is_young_again_and_has_its_bytes,
            what_is_not_there_cannot_be_touched,
            a_touch_and_a_collection_at_once_never_lose_a_blob,
            a_prefix_lists_whole_segments_only,
            nothing_but_a_key_reaches_the_store,
        );
    };
    ($new:expr; $($name:ident),+ $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let (blobs, _guard) = $new;
            $crate::contract::blobs::$name(blobs).await;
        }
    )+};
}
