//! The contract against a real PostgreSQL, and what is its own.

use crate::shared::{self, MIB, all_unavailable, endless, gone, stalled, unavailable, until};
use bytes::Bytes;
use eventflow_blobs::PostgresBlobs;
use eventflow_blobs::postgres::{OpenError, Options};
use eventflow_domain::ports::{Blobs, ByteStream};
use eventflow_testkit::contract::blobs::{arriving, keys, pattern, read};
use eventflow_testkit::servers::Signal;
use eventflow_testkit::servers::postgres::{PostgresOptions, PostgresServer};
use futures::TryStreamExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::timeout;

/// One for all tests of this process, but for those that harm it.
static SERVER: OnceCell<PostgresServer> = OnceCell::const_new();

async fn server() -> &'static PostgresServer {
    SERVER.get_or_init(|| PostgresServer::start(PostgresOptions::default())).await
}

fn options() -> Options {
    Options { forgetful: true, ..Options::default() }
}

async fn open(url: &str) -> PostgresBlobs {
    PostgresBlobs::open(url, options()).await.expect("should open")
}

/// A database of one test.
struct Fresh(String);

impl Fresh {
    async fn new() -> Self {
        Self(server().await.fresh_database(None).await)
    }

    async fn url(&self) -> String {
        server().await.url_of(&self.0)
    }

    /// As another program would.
    async fn sql(&self, sql: &str) -> String {
        server().await.sql(&self.0, sql).await
    }

    /// Contents that are being written, and chunks of all.
    async fn rows(&self) -> String {
        let uploads = "(SELECT count(*) FROM eventflow_blob_uploads)";
        self.sql(&format!("SELECT {uploads}, (SELECT count(*) FROM eventflow_blob_chunks)")).await
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if let Some(server) = SERVER.get() {
            server.drop_database(&self.0);
        }
    }
}

async fn database() -> (Arc<dyn Blobs>, Fresh) {
    let database = Fresh::new().await;
    (Arc::new(open(&database.url().await).await), database)
}

async fn both() -> (PostgresBlobs, PostgresBlobs, Fresh) {
    let database = Fresh::new().await;
    let url = database.url().await;
    (open(&url).await, open(&url).await, database)
}

eventflow_testkit::blobs_suite!(database().await);

#[tokio::test]
async fn what_is_replaced_or_removed_leaves_no_rows() {
    let (blobs, database) = database().await;
    for size in [0, 5 * MIB, 2 * MIB + 1] {
        blobs.put("payloads/x", arriving(&pattern(size), 1 << 16), u64::MAX).await.expect("put");
    }
    assert_eq!(database.rows().await, "0|3");
    for _ in 0..2 {
        blobs.put_artifact(arriving(&pattern(2 * MIB), 1 << 16), u64::MAX).await.expect("put");
    }
    assert_eq!(database.rows().await, "0|5");
    for key in keys(&*blobs, "").await {
        blobs.delete(&key).await.expect("delete");
    }
    assert_eq!(database.rows().await, "0|0");
}

#[tokio::test]
async fn a_put_that_does_not_end_is_not_seen_and_leaves_no_rows() {
    let (blobs, database) = database().await;
    let mut put = Box::pin(blobs.put("payloads/x", stalled(5 * MIB), u64::MAX));
    while database.rows().await != "1|5" {
        assert!(timeout(Duration::from_millis(20), &mut put).await.is_err(), "it waits for the rest");
    }
    assert!(keys(&*blobs, "").await.is_empty());
    assert!(blobs.get("payloads/x").await.is_err());
    drop(put);
    until("its chunks are removed", async || database.rows().await == "0|0").await;
    blobs
        .put("payloads/x", arriving(&pattern(5 * MIB), 1 << 16), 4 * MIB as u64)
        .await
        .expect_err("too large");
    until("its chunks are removed", async || database.rows().await == "0|0").await;
}

/// Its process died: nobody is there to remove it.
#[tokio::test]
async fn what_a_killed_writer_left_is_removed_when_it_is_old() {
    let (blobs, database) = database().await;
    let ids = ["00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"];
    let now = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
    for (id, age) in ids.iter().zip(["3601000000", "3500000000"]) {
        database.sql(&format!("INSERT INTO eventflow_blob_uploads VALUES ('{id}', {now} - {age})")).await;
        database.sql(&format!("INSERT INTO eventflow_blob_chunks VALUES ('{id}', 0, 'half')")).await;
    }
    assert!(keys(&*blobs, "").await.is_empty());
    assert_eq!(database.rows().await, "1|1", "one is too old, the other may still be written");
}

/// One that was taken for dead must not come true without its first chunks.
#[tokio::test]
async fn a_writer_that_was_given_up_cannot_go_on() {
    let (blobs, database) = database().await;
    let (bytes, more) = tokio::sync::mpsc::channel(1);
    let body = futures::stream::unfold(more, |mut more| async { more.recv().await.map(|item| (item, more)) });
    let body: ByteStream = Box::pin(body);
    let put = async {
        blobs.put("payloads/x", body, u64::MAX).await.expect_err("should not go on");
    };
    let give_up = async {
        let piece = || Ok(Bytes::from(pattern(MIB)));
        bytes.send(piece()).await.expect("taken");
        until("a chunk is stored", async || database.rows().await == "1|1").await;
        database.sql("DELETE FROM eventflow_blob_uploads;\nDELETE FROM eventflow_blob_chunks").await;
        bytes.send(piece()).await.expect("taken");
        drop(bytes);
    };
    tokio::join!(put, give_up);
    assert_eq!(database.rows().await, "0|0");
}

#[tokio::test]
async fn a_blob_whose_chunk_is_missing_is_an_error_and_not_a_shorter_blob() {
    let (blobs, database) = database().await;
    blobs.put("results/x", arriving(&pattern(3 * MIB), 1 << 16), u64::MAX).await.expect("put");
    let (_, bytes) = blobs.get("results/x").await.expect("get");
    database.sql("DELETE FROM eventflow_blob_chunks WHERE number = 2").await;
    bytes.try_collect::<Vec<_>>().await.expect_err("should break off");
}

#[tokio::test]
async fn a_server_that_is_away_is_said_to_be_and_heals() {
    let mut server = PostgresServer::start(PostgresOptions::default()).await;
    let deadline = Duration::from_secs(3);
    let options = Options { deadline, ..options() };
    let blobs = PostgresBlobs::open(&server.url(), options).await.expect("open");
    blobs.put("payloads/x", arriving(&pattern(3 * MIB), 1 << 16), u64::MAX).await.expect("put");
    server.signal(Signal::Stop);
    gone().await;
    all_unavailable(&blobs, Duration::from_secs(8)).await;
    server.signal(Signal::Continue);
    until("it heals", async || blobs.touch("payloads/x").await.is_ok()).await;
    server.signal(Signal::Kill);
    gone().await;
    all_unavailable(&blobs, Duration::from_secs(8)).await;
    server.restart().await;
    until("it heals", async || blobs.touch("payloads/x").await.is_ok()).await;
    assert!(read(&blobs, "payloads/x").await == pattern(3 * MIB));
}

/// The server stops while it works for us: no limit of its own ends that.
#[tokio::test]
async fn an_answer_that_never_comes_is_not_waited_for() {
    let server = PostgresServer::start(PostgresOptions::default()).await;
    let deadline = Duration::from_secs(6);
    let blobs = PostgresBlobs::open(&server.url(), Options { deadline, ..options() }).await.expect("open");
    blobs.put("payloads/x", arriving(b"x", 1), 1).await.expect("put");
    let in_the_way = "BEGIN; LOCK TABLE eventflow_blobs; SELECT pg_sleep(8)";
    let stop = async {
        until("the touch waits in the server", async || {
            server.sql("postgres", "SELECT count(*) FROM pg_locks WHERE NOT granted").await == "1"
        })
        .await;
        server.signal(Signal::Stop);
    };
    let touch = async {
        until("the lock is held", async || {
            let held = "SELECT count(*) FROM pg_locks WHERE granted AND mode = 'AccessExclusiveLock'";
            server.sql("postgres", held).await != "0"
        })
        .await;
        unavailable(Duration::from_secs(5), "touch", blobs.touch("payloads/x")).await;
        server.signal(Signal::Continue);
    };
    tokio::join!(server.sql("postgres", in_the_way), stop, touch);
    until("it heals", async || blobs.touch("payloads/x").await.is_ok()).await;
}

/// The server dies with half of a blob, and comes again.
#[tokio::test]
async fn a_server_that_dies_in_the_middle_shows_nothing_of_it() {
    let mut server = PostgresServer::start(PostgresOptions::default()).await;
    let options = Options { deadline: Duration::from_secs(3), ..options() };
    let blobs = PostgresBlobs::open(&server.url(), options).await.expect("open");
    let (bytes, taken) = endless();
    let put = async {
        blobs.put("payloads/x", bytes, u64::MAX).await.expect_err("should fail");
    };
    let kill = async {
        until("some chunks are stored", async || taken.load(Ordering::Relaxed) > 5 * MIB).await;
        server.signal(Signal::Kill);
    };
    tokio::join!(put, kill);
    server.restart().await;
    until("it heals", async || blobs.list("").await.is_ok()).await;
    assert!(keys(&blobs, "").await.is_empty());
}

#[tokio::test]
async fn a_touch_holds_against_the_collection_of_another_process() {
    let (one, other, _database) = both().await;
    shared::a_touch_holds_against_the_collection_of_another(&one, &other).await;
}

#[tokio::test]
async fn an_artifact_uploaded_again_holds_against_the_collection_of_another_process() {
    let (one, other, _database) = both().await;
    shared::an_artifact_uploaded_again_holds_against_a_collection(&one, &other).await;
}

#[tokio::test]
async fn what_another_process_touches_can_be_read() {
    let (one, other, _database) = both().await;
    shared::what_is_touched_can_be_read(&one, &other).await;
}

#[tokio::test]
async fn many_processes_on_one_key_leave_one_blob() {
    let (one, other, database) = both().await;
    shared::many_writers_of_one_key_leave_one_blob(&one, &other).await;
    assert_eq!(database.rows().await, "0|0");
}

#[tokio::test]
async fn a_long_list_has_every_blob_once() {
    let (blobs, database) = database().await;
    database
        .sql(
            "INSERT INTO eventflow_blobs (key, content, size, modified_at) \
             SELECT 'results/' || n, gen_random_uuid(), 0, 1 FROM generate_series(1, 1500) n",
        )
        .await;
    let listed: Vec<_> = blobs.list("results").await.expect("list").try_collect().await.expect("list");
    assert_eq!(listed.len(), 1500);
    assert_eq!(keys(&*blobs, "").await.len(), 1500);
}

#[tokio::test]
async fn many_that_start_at_once_make_one_schema() {
    let database = Fresh::new().await;
    let url = database.url().await;
    let opened = futures::future::join_all((0..6).map(|_| PostgresBlobs::open(&url, options()))).await;
    assert!(opened.iter().all(Result::is_ok), "{opened:?}");
    assert_eq!(database.sql("SELECT version FROM eventflow_blob_schema").await, "1");
}

#[tokio::test]
async fn a_database_that_cannot_keep_blobs_is_refused() {
    let database = Fresh::new().await;
    let url = database.url().await;
    let refused = PostgresBlobs::open(&url, Options::default()).await.expect_err("fsync is off");
    assert!(matches!(refused, OpenError::NotDurable { setting: "fsync", .. }), "{refused:?}");
    database.sql(&format!("ALTER DATABASE {} SET synchronous_commit = off", database.0)).await;
    let refused = PostgresBlobs::open(&url, options()).await.expect_err("it forgets");
    assert!(matches!(refused, OpenError::NotDurable { setting: "synchronous_commit", .. }), "{refused:?}");
    database.sql(&format!("ALTER DATABASE {} RESET synchronous_commit", database.0)).await;
    open(&url).await;
    database.sql("UPDATE eventflow_blob_schema SET version = 99").await;
    let refused = PostgresBlobs::open(&url, options()).await.expect_err("a newer schema");
    assert!(matches!(refused, OpenError::NewerSchema { found: 99, .. }), "{refused:?}");
    let refused =
        PostgresBlobs::open("mysql://user:hush@host/x", options()).await.expect_err("no PostgreSQL");
    assert!(!format!("{refused:?}").contains("hush"));
}
