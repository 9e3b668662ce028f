//! The port that pods reach, over a real record and real blobs.

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use eventflow_blobs::FolderBlobs;
use eventflow_domain::invocation::{Content, Source, Stored};
use eventflow_domain::lifecycle::{Policy, Verdict};
use eventflow_domain::ports::{Blobs, NewInvocation, Settlement, Start, Store};
use eventflow_domain::spec::RetryPolicy;
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{Epoch, FunctionUid, InvocationId, VersionNumber, WorkerId};
use eventflow_lifecycle::SystemClock;
use eventflow_runtime_kubernetes::{Secret, Transfer};
use eventflow_store::SqliteStore;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt as _;

const KEY: &[u8] = b"the key of the installation";
const LIMIT: u64 = 1 << 20;

struct World {
    transfer: Transfer,
    _folder: tempfile::TempDir,
}

async fn world() -> World {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(SystemClock::new());
    let store = SqliteStore::open(&folder.path().join("store"), clock, eventflow_store::Options::default())
        .await
        .expect("a store");
    let blobs = FolderBlobs::open(folder.path().join("blobs")).await.expect("blobs");
    let transfer = Transfer {
        store: Arc::new(store) as Arc<dyn Store>,
        blobs: Arc::new(blobs) as Arc<dyn Blobs>,
        secret: Secret::derived(KEY),
        limit: LIMIT,
    };
    World { transfer, _folder: folder }
}

impl World {
    /// A call that runs.
    async fn running(&self, payload: &'static [u8]) -> InvocationId {
        let id = InvocationId::generate();
        let content = Content { bytes: Bytes::from_static(payload), content_type: None };
        let new = NewInvocation {
            id,
            function: eventflow_testkit::key("f"),
            function_uid: FunctionUid::generate(),
            version: VersionNumber(1),
            source: Source::Async,
            caller: "test".into(),
            replay_of: None,
            trace: TraceContext::generate(),
            payload: Stored::inline(content),
            created_at: id.created_at(),
            idempotency: None,
            start: Start::Running {
                worker: WorkerId::generate("test"),
                lease: Duration::from_secs(600),
                started_at: id.created_at(),
            },
            queue_max: 10,
        };
        self.transfer.store.accept(new).await.expect("accepted");
        id
    }

    async fn ends(&self, id: InvocationId) {
        let settlement = Settlement {
            invocation: id,
            epoch: Epoch(1),
            verdict: Verdict::Succeeded,
            policy: Policy { retry: RetryPolicy::default(), max_lost: 0 },
            jitter: 0,
            start: None,
            started_at: id.created_at(),
            exit_code: Some(0),
            result: Stored::NOTHING,
            http_status: None,
            drop_payload: false,
            logs_truncated: false,
        };
        self.transfer.store.settle(settlement).await.expect("settled");
    }

    async fn asks(&self, method: &str, what: &str, token: &str, body: &[u8]) -> (StatusCode, Bytes) {
        let request = Request::builder()
            .method(method)
            .uri(format!("/v1/attempts/{what}"))
            .header("authorization", format!("Bearer {token}"))
            .header("content-length", body.len())
            .body(Body::from(body.to_vec()))
            .expect("a request");
        let answer = self.transfer.clone().routes().oneshot(request).await.expect("an answer");
        (answer.status(), to_bytes(answer.into_body(), 64 << 20).await.expect("whole"))
    }
}

#[tokio::test]
async fn an_attempt_that_runs_fetches_its_own_payload_and_no_other() {
    let world = world().await;
    let (id, other) = (world.running(b"hello").await, world.running(b"secret").await);
    let token = Secret::derived(KEY).token(id, 1);
    let (status, body) = world.asks("GET", &format!("{id}/1/payload"), &token, b"").await;
    assert_eq!((status, body.as_ref()), (StatusCode::OK, b"hello".as_slice()));
    for (path, token) in [
        (format!("{other}/1/payload"), token.clone()),
        (format!("{id}/2/payload"), token.clone()),
        (format!("{id}/1/payload"), String::new()),
        (format!("{id}/1/payload"), Secret::derived(b"another key").token(id, 1)),
        ("x/1/payload".to_owned(), token.clone()),
    ] {
        let (status, body) = world.asks("GET", &path, &token, b"").await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(!body.windows(6).any(|window| window == b"secret"));
    }
}

#[tokio::test]
async fn a_token_is_of_no_use_once_its_attempt_has_ended() {
    let world = world().await;
    let id = world.running(b"hello").await;
    let token = Secret::derived(KEY).token(id, 1);
    world.ends(id).await;
    for (method, what) in [("GET", "payload"), ("PUT", "result")] {
        let (status, _) = world.asks(method, &format!("{id}/1/{what}"), &token, b"").await;
        assert_eq!(status, StatusCode::GONE, "{what}");
    }
    // Nor is that of an attempt to come of any before it.
    let again = world.running(b"hello").await;
    let next = Secret::derived(KEY).token(again, 2);
    let (status, _) = world.asks("GET", &format!("{again}/2/payload"), &next, b"").await;
    assert_eq!(status, StatusCode::GONE);
}

#[tokio::test]
async fn a_result_is_kept_whole_or_refused() {
    let world = world().await;
    let id = world.running(b"").await;
    let token = Secret::derived(KEY).token(id, 1);
    let path = format!("{id}/1/result");
    let large = vec![7; usize::try_from(LIMIT).expect("fits") + 1];
    assert_eq!(world.asks("PUT", &path, &token, &large).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(world.transfer.blobs.get(&format!("results/{id}-1")).await.is_err(), "nothing of it is kept");
    assert_eq!(world.asks("PUT", &path, &token, b"done").await.0, StatusCode::NO_CONTENT);
    let (size, _) = world.transfer.blobs.get(&format!("results/{id}-1")).await.expect("kept");
    assert_eq!(size, 4);
}
