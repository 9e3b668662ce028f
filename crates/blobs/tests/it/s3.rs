//! The contract against a real S3 server, and what is its own.

use crate::shared::{self, MIB, all_unavailable, endless, gone, stalled, until};
use eventflow_blobs::s3::OpenError;
use eventflow_blobs::{S3Blobs, S3Config};
use eventflow_domain::error::Chain;
use eventflow_domain::ports::Blobs;
use eventflow_testkit::contract::blobs::{arriving, keys, pattern, read};
use eventflow_testkit::servers::Signal;
use eventflow_testkit::servers::s3::S3Server;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::timeout;

/// One for all tests of this process, but for those that harm it.
static SERVER: OnceCell<S3Server> = OnceCell::const_new();

async fn server() -> &'static S3Server {
    SERVER.get_or_init(S3Server::start).await
}

fn config(server: &S3Server, bucket: &str) -> S3Config {
    S3Config {
        endpoint: Some(server.url()),
        bucket: bucket.to_owned(),
        region: S3Server::REGION.to_owned(),
        prefix: "some/where".to_owned(),
        access_key: S3Server::ACCESS_KEY.to_owned(),
        secret_key: S3Server::SECRET_KEY.to_owned(),
        allow_http: true,
        ..S3Config::default()
    }
}

async fn open(config: S3Config) -> S3Blobs {
    S3Blobs::open(config).await.expect("should open")
}

async fn bucket() -> (Arc<dyn Blobs>, ()) {
    let server = server().await;
    (Arc::new(open(config(server, &server.new_bucket())).await), ())
}

/// Two values on one bucket, and its name.
async fn both() -> (S3Blobs, S3Blobs, String) {
    let server = server().await;
    let bucket = server.new_bucket();
    (open(config(server, &bucket)).await, open(config(server, &bucket)).await, bucket)
}

eventflow_testkit::blobs_suite!(bucket().await);

/// All files of a bucket, of uploads too, but for the server's own.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test]
async fn what_is_put_in_parts_is_read_whole() {
    let (blobs, _, bucket) = both().await;
    for size in [8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 16 * MIB, 25 * MIB + 17] {
        let bytes = pattern(size);
        let key = format!("payloads/{size}");
        assert_eq!(blobs.put(&key, arriving(&bytes, 300_000), size as u64).await.expect("put"), size as u64);
        assert!(read(&blobs, &key).await == bytes, "{size} bytes");
        let (digest, _) = blobs.put_artifact(arriving(&bytes, 300_000), size as u64).await.expect("put");
        assert!(read(&blobs, &format!("artifacts/{}", digest.hex())).await == bytes, "{size} bytes");
    }
    assert_eq!(files(&server().await.bucket(&bucket)).len(), 10, "nothing but the blobs is there");
}

/// Several parts were stored when the caller went away, or sent too much.
#[tokio::test]
async fn a_put_that_does_not_end_leaves_nothing_not_even_parts() {
    let (blobs, _, bucket) = both().await;
    let folder = server().await.bucket(&bucket);
    let before = files(&folder);
    for artifact in [false, true] {
        let put = async {
            if artifact {
                blobs.put_artifact(stalled(20 * MIB), u64::MAX).await.map(|(_, size)| size)
            } else {
                blobs.put("payloads/x", stalled(20 * MIB), u64::MAX).await
            }
        };
        let mut put = Box::pin(put);
        let uploading = async || files(&folder).len() >= before.len() + 2;
        while !uploading().await {
            assert!(timeout(Duration::from_millis(50), &mut put).await.is_err(), "it waits for the rest");
        }
        assert!(keys(&blobs, "").await.is_empty(), "not seen before it is whole");
        drop(put);
        until("its parts are removed", async || files(&folder) == before).await;
    }
    blobs
        .put("payloads/x", arriving(&pattern(20 * MIB), 1 << 16), 19 * MIB as u64)
        .await
        .expect_err("too large");
    until("its parts are removed", async || files(&folder) == before).await;
    assert!(keys(&blobs, "").await.is_empty());
}

/// A put holds what is being sent and what is being collected: three parts of 8 MiB, whatever the size of it all.
#[tokio::test]
async fn a_server_that_is_slow_makes_the_sender_wait() {
    let server = S3Server::start().await;
    let bucket = server.new_bucket();
    let blobs = open(config(&server, &bucket)).await;
    let (bytes, taken) = endless();
    let mut put = Box::pin(blobs.put("payloads/x", bytes, 400 * MIB as u64));
    while taken.load(Ordering::Relaxed) < 30 * MIB {
        assert!(timeout(Duration::from_millis(5), &mut put).await.is_err());
    }
    server.signal(Signal::Stop);
    // What it took in just before.
    assert!(timeout(Duration::from_millis(500), &mut put).await.is_err());
    let before = taken.load(Ordering::Relaxed);
    assert!(timeout(Duration::from_secs(1), &mut put).await.is_err());
    assert_eq!(taken.load(Ordering::Relaxed), before, "nothing more is taken while nothing goes out");
    let sizes = files(&server.bucket(&bucket))
        .into_iter()
        .map(|file| fs::metadata(file).map_or(0, |file| file.len()));
    let stored = sizes.sum::<u64>() as usize;
    assert!(before <= stored + 24 * MIB, "{before} bytes were taken and {stored} stored");
}

#[tokio::test]
async fn a_server_that_is_away_is_said_to_be_and_heals() {
    let mut server = S3Server::start().await;
    let bucket = server.new_bucket();
    let timeout = Duration::from_secs(1);
    let blobs = open(S3Config { timeout, retries: 2, ..config(&server, &bucket) }).await;
    blobs.put("payloads/x", arriving(b"x", 1), 1).await.expect("put");
    server.signal(Signal::Stop);
    gone().await;
    all_unavailable(&blobs, Duration::from_secs(8)).await;
    server.signal(Signal::Continue);
    assert_eq!(read(&blobs, "payloads/x").await, b"x");
    server.kill().await;
    gone().await;
    all_unavailable(&blobs, Duration::from_secs(8)).await;
    server.restart().await;
    assert_eq!(read(&blobs, "payloads/x").await, b"x");
    assert!(blobs.get("payloads/new").await.is_err() || read(&blobs, "payloads/new").await == b"new");
}

/// The server dies with half of a blob, and comes again.
#[tokio::test]
async fn a_server_that_dies_in_the_middle_shows_nothing_of_it() {
    let mut server = S3Server::start().await;
    let bucket = server.new_bucket();
    let timeout = Duration::from_secs(1);
    let blobs = open(S3Config { timeout, retries: 1, ..config(&server, &bucket) }).await;
    let (bytes, taken) = endless();
    let put = async {
        blobs.put("payloads/x", bytes, u64::MAX).await.expect_err("should fail");
    };
    let kill = async {
        until("two parts are sent", async || taken.load(Ordering::Relaxed) > 20 * MIB).await;
        server.kill().await;
    };
    tokio::join!(put, kill);
    server.restart().await;
    assert!(keys(&blobs, "").await.is_empty());
    assert!(blobs.get("payloads/x").await.is_err());
}

#[tokio::test]
async fn a_touch_holds_against_the_collection_of_another_process() {
    let (one, other, _) = both().await;
    shared::a_touch_holds_against_the_collection_of_another(&one, &other).await;
}

#[tokio::test]
async fn an_artifact_uploaded_again_holds_against_the_collection_of_another_process() {
    let (one, other, _) = both().await;
    shared::an_artifact_uploaded_again_holds_against_a_collection(&one, &other).await;
}

#[tokio::test]
async fn what_another_process_touches_can_be_read() {
    let (one, other, bucket) = both().await;
    shared::what_is_touched_can_be_read(&one, &other).await;
    assert_eq!(files(&server().await.bucket(&bucket)), [""; 0]);
}

#[tokio::test]
async fn many_processes_on_one_key_leave_one_blob() {
    let (one, other, bucket) = both().await;
    shared::many_writers_of_one_key_leave_one_blob(&one, &other).await;
    assert_eq!(files(&server().await.bucket(&bucket)), [""; 0]);
}

/// More objects than a page of a list has.
#[tokio::test]
async fn a_long_list_has_every_blob_once() {
    let (blobs, _, bucket) = both().await;
    let folder = server().await.bucket(&bucket).join("some/where/results");
    let id = |at: usize| format!("01890a5dac96774bbcceb3020{at:07}");
    for at in 0..1050 {
        // As other tools write them: two of each touched.
        let blob = folder.join(format!("{at:04}"));
        fs::create_dir_all(&blob).expect("a folder");
        for generation in 0..2 {
            fs::write(blob.join(format!("G{}", id(generation))), "x").expect("a file");
        }
    }
    fs::write(folder.join("not-a-blob"), "x").expect("a file");
    let expected: BTreeSet<_> = (0..1050).map(|at| format!("results/{at:04}")).collect();
    let listed: Vec<_> = {
        use futures::TryStreamExt as _;
        blobs.list("results").await.expect("list").try_collect().await.expect("list")
    };
    assert_eq!(listed.len(), expected.len(), "each once");
    assert_eq!(keys(&blobs, "results").await, expected);
}

#[tokio::test]
async fn prefixes_keep_installations_apart() {
    let server = server().await;
    let bucket = server.new_bucket();
    let root = open(S3Config { prefix: String::new(), ..config(server, &bucket) }).await;
    let a = open(S3Config { prefix: "a".to_owned(), ..config(server, &bucket) }).await;
    let ab = open(S3Config { prefix: "ab".to_owned(), ..config(server, &bucket) }).await;
    a.put("payloads/x", arriving(b"a", 1), 1).await.expect("put");
    ab.put("payloads/x", arriving(b"ab", 1), 2).await.expect("put");
    root.put("payloads/x", arriving(b"root", 1), 4).await.expect("put");
    assert_eq!(read(&a, "payloads/x").await, b"a");
    assert_eq!(read(&ab, "payloads/x").await, b"ab");
    assert_eq!(read(&root, "payloads/x").await, b"root");
    assert_eq!(keys(&a, "").await.len(), 1);
}

#[tokio::test]
async fn a_bucket_that_cannot_be_used_is_refused_at_start_without_a_word_of_the_keys() {
    let server = server().await;
    let bucket = server.new_bucket();
    let quick = |config: S3Config| S3Config { timeout: Duration::from_secs(2), retries: 0, ..config };
    let wrong = [
        ("failed to write an object in bucket nowhere", quick(config(server, "nowhere"))),
        (
            "failed to write an object in bucket",
            quick(S3Config { secret_key: "hush-hush".to_owned(), ..config(server, &bucket) }),
        ),
        (
            "failed to write an object in bucket",
            quick(S3Config { access_key: "some-stranger".to_owned(), ..config(server, &bucket) }),
        ),
        (
            "failed to write an object in bucket",
            quick(S3Config { endpoint: Some("http://127.0.0.1:1".to_owned()), ..config(server, &bucket) }),
        ),
        (
            "the setting endpoint of the blob storage must be an https:// URL unless allow_http is set",
            S3Config { allow_http: false, ..config(server, &bucket) },
        ),
    ];
    for (expected, config) in wrong {
        let error: OpenError = S3Blobs::open(config).await.expect_err(expected);
        let said = format!("{} {error:?}", Chain(&error));
        assert!(said.starts_with(expected), "{said}");
        for secret in [S3Server::SECRET_KEY, S3Server::ACCESS_KEY, "hush-hush", "some-stranger"] {
            assert!(!said.contains(secret), "{secret} in {said}");
        }
    }
    let (blobs, ..) = both().await;
    let printed = format!("{blobs:?}");
    assert!(!printed.contains(S3Server::SECRET_KEY) && !printed.contains(S3Server::ACCESS_KEY), "{printed}");
}

#[tokio::test]
async fn over_tls_only_a_certificate_that_is_trusted_will_do() {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let server = S3Server::start_with_tls(&cert.pem(), &signing_key.serialize_pem()).await;
    let home = tempfile::TempDir::new().expect("a folder");
    let ca_file = home.path().join("ca.pem");
    fs::write(&ca_file, cert.pem()).expect("a file");
    let strict = S3Config { allow_http: false, retries: 0, ..config(&server, &server.new_bucket()) };
    let blobs = open(S3Config { ca_file: Some(ca_file), ..strict.clone() }).await;
    blobs.put("payloads/x", arriving(&pattern(9 * MIB), 1 << 16), u64::MAX).await.expect("put");
    assert!(read(&blobs, "payloads/x").await == pattern(9 * MIB));
    let error = S3Blobs::open(strict.clone()).await.expect_err("it is not trusted");
    assert!(Chain(&error).to_string().contains("certificate"), "{}", Chain(&error));
    fs::write(home.path().join("empty"), "no certificate").expect("a file");
    for wrong in ["nothing", "empty"] {
        let config = S3Config { ca_file: Some(home.path().join(wrong)), ..strict.clone() };
        let error = S3Blobs::open(config).await.expect_err(wrong);
        assert!(matches!(error, OpenError::Certificates(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_start_removes_old_leftovers_and_nothing_else() {
    let (blobs, _, bucket) = both().await;
    let folder = server().await.bucket(&bucket).join("some/where/Incoming");
    fs::create_dir_all(&folder).expect("a folder");
    // Of July 2023, and of July 2090.
    fs::write(folder.join("01890a5dac96774bbcceb302099a8057"), "half").expect("a file");
    fs::write(folder.join("037719dba4007000bcceb302099a8057"), "half").expect("a file");
    blobs.put("payloads/x", arriving(b"x", 1), 1).await.expect("put");
    let blobs = open(config(server().await, &bucket)).await;
    assert_eq!(files(&folder).len(), 1);
    assert_eq!(keys(&blobs, "").await.len(), 1);
    assert_eq!(read(&blobs, "payloads/x").await, b"x");
}
