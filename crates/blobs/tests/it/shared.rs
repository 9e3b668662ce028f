//! What adapters that many processes share are asked for, each by two values on the same storage.

use bytes::Bytes;
use eventflow_domain::ports::{Blobs, ByteStream};
use eventflow_domain::{Error, ErrorKind, Timestamp};
use eventflow_testkit::contract::blobs::{arriving, keys, pattern, read};
use futures::stream::{self, StreamExt, TryStreamExt};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{sleep, timeout};

pub(crate) const MIB: usize = 1 << 20;

/// The age of a blob, as a list tells it.
async fn modified(blobs: &dyn Blobs, key: &str) -> Timestamp {
    let listed: Vec<_> = blobs.list("").await.expect("list").try_collect().await.expect("list");
    listed.into_iter().find(|blob| &*blob.key == key).expect("should be listed").modified_at
}

/// Bytes without an end, and how many of them were taken.
pub(crate) fn endless() -> (ByteStream, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&taken);
    let chunk = Bytes::from(vec![7; 64 << 10]);
    let bytes = stream::repeat_with(move || {
        counted.fetch_add(chunk.len(), Ordering::Relaxed);
        Ok(chunk.clone())
    });
    (bytes.boxed(), taken)
}

/// `size` bytes, and then nothing more for ever.
pub(crate) fn stalled(size: usize) -> ByteStream {
    arriving(&pattern(size), 1 << 16).chain(stream::pending()).boxed()
}

/// Until `done`, a few seconds at most.
pub(crate) async fn until(what: &str, done: impl AsyncFn() -> bool) {
    let waited = async {
        while !done().await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(10), waited).await.unwrap_or_else(|_| panic!("it did not happen: {what}"));
}

/// For the last thread of a server to hear of its signal.
pub(crate) async fn gone() {
    sleep(Duration::from_millis(250)).await;
}

/// That this fails as `Unavailable`, and before `bound`.
pub(crate) async fn unavailable<T>(
    bound: Duration,
    what: &str,
    work: impl Future<Output = Result<T, Error>>,
) {
    let error = timeout(bound, work).await.unwrap_or_else(|_| panic!("{what} takes longer than {bound:?}"));
    let error = error.err().unwrap_or_else(|| panic!("{what} should fail"));
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{what}: {error:?}");
}

/// That every kind of call fails so.
pub(crate) async fn all_unavailable(blobs: &dyn Blobs, bound: Duration) {
    let later = Timestamp::from_millis(i64::MAX / 2000);
    tokio::join!(
        unavailable(bound, "put", blobs.put("payloads/new", arriving(b"new", 3), 3)),
        unavailable(bound, "put_artifact", blobs.put_artifact(arriving(b"new", 3), 3)),
        unavailable(bound, "get", blobs.get("payloads/x")),
        unavailable(bound, "touch", blobs.touch("payloads/x")),
        unavailable(bound, "delete", blobs.delete("payloads/x")),
        unavailable(bound, "delete_older", blobs.delete_older("payloads/x", later)),
        unavailable(bound, "list", async { blobs.list("").await?.try_collect::<Vec<_>>().await }),
    );
}

/// One process touches while another one collects: a touch that returned holds, whatever the other did.
pub(crate) async fn a_touch_holds_against_the_collection_of_another(one: &dyn Blobs, other: &dyn Blobs) {
    let (mut held, mut late) = (0, 0);
    for round in 0..40 {
        let key = format!("artifacts/{round:02x}");
        one.put(&key, arriving(b"code", 4), 4).await.expect("put");
        let found_old = modified(one, &key).await + Duration::from_micros(1);
        sleep(Duration::from_millis(3)).await;
        let collect = async {
            sleep(Duration::from_micros(round * 150)).await;
            other.delete_older(&key, found_old).await
        };
        let (touched, removed) = tokio::join!(one.touch(&key), collect);
        let removed = removed.expect("fine");
        match touched {
            Ok(()) => {
                held += 1;
                assert_eq!(read(other, &key).await, b"code", "round {round}");
                assert!(!other.delete_older(&key, found_old).await.expect("fine"), "round {round}");
            }
            Err(error) => {
                late += 1;
                let ended = (error.kind(), removed);
                assert_eq!(ended, (ErrorKind::NotFound, true), "round {round}: {error:?}");
                assert_eq!(one.get(&key).await.err().map(|error| error.kind()), Some(ErrorKind::NotFound));
            }
        }
        one.delete(&key).await.expect("delete");
    }
    assert!(held + late == 40 && held > 0, "{held} held, {late} came too late");
}

/// A put of bytes that are there already, and old enough to be collected this moment.
pub(crate) async fn an_artifact_uploaded_again_holds_against_a_collection(
    one: &dyn Blobs,
    other: &dyn Blobs,
) {
    for round in 0..40 {
        let bytes = format!("code {round}");
        let put = || one.put_artifact(arriving(bytes.as_bytes(), 4), 100);
        let (digest, _) = put().await.expect("put");
        let key = format!("artifacts/{}", digest.hex());
        let found_old = modified(one, &key).await + Duration::from_micros(1);
        sleep(Duration::from_millis(3)).await;
        let collect = async {
            sleep(Duration::from_micros(round * 200)).await;
            other.delete_older(&key, found_old).await
        };
        let (again, removed) = tokio::join!(put(), collect);
        again.expect("put");
        removed.expect("fine");
        assert_eq!(read(other, &key).await, bytes.as_bytes(), "round {round}");
    }
}

/// Readers of one process, while another one touches all the time.
pub(crate) async fn what_is_touched_can_be_read(one: &dyn Blobs, other: &dyn Blobs) {
    let bytes = pattern(100_000);
    one.put("artifacts/00", arriving(&bytes, 1 << 16), u64::MAX).await.expect("put");
    let touch = async {
        for _ in 0..30 {
            other.touch("artifacts/00").await.expect("there");
        }
    };
    let look = async {
        for round in 0..30 {
            let (size, stream) = one.get("artifacts/00").await.expect("there");
            assert_eq!(size, 100_000);
            if let Ok(read) = stream.try_collect::<Vec<Bytes>>().await {
                assert!(read.concat() == bytes, "round {round}: never less than the whole");
            }
        }
    };
    tokio::join!(touch, look);
    assert_eq!(keys(one, "").await.len(), 1);
    one.delete("artifacts/00").await.expect("delete");
    assert!(keys(other, "").await.is_empty(), "nothing of it is left");
}

/// Many puts, touches and removals of one key by both: at the end it is what the last one made of it.
pub(crate) async fn many_writers_of_one_key_leave_one_blob(one: &dyn Blobs, other: &dyn Blobs) {
    let bytes = pattern(50_000);
    let puts = (0..8).map(|at| {
        let blobs = if at % 2 == 0 { one } else { other };
        blobs.put_artifact(arriving(&bytes, 1 << 12), u64::MAX)
    });
    let digests = futures::future::try_join_all(puts).await.expect("put");
    let key = format!("artifacts/{}", digests[0].0.hex());
    let touches = (0..8).map(|at| if at % 2 == 0 { one.touch(&key) } else { other.touch(&key) });
    futures::future::try_join_all(touches).await.expect("touch");
    assert!(read(one, &key).await == bytes);
    other.touch(&key).await.expect("touch");
    assert!(read(one, &key).await == bytes);
    one.delete(&key).await.expect("delete");
    assert!(keys(other, "").await.is_empty());
}
