//! What a night in production brings. Each on a server of its own.

use super::options;
use eventflow_domain::lifecycle::Verdict;
use eventflow_domain::ports::{Accepted, Claim, ClaimRequest, InvocationFilter, Settled};
use eventflow_domain::{Epoch, ErrorKind, InvocationId, State};
use eventflow_store::{PostgresOptions, PostgresStore};
use eventflow_testkit::ManualClock;
use eventflow_testkit::contract::store::{Callee, Room, worker};
use eventflow_testkit::servers::Signal;
use eventflow_testkit::servers::postgres::{self, PostgresServer};
use futures::future::join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

const DEADLINE: Duration = Duration::from_secs(3);

async fn server(fsync: bool) -> PostgresServer {
    PostgresServer::start(postgres::PostgresOptions { fsync, ..postgres::PostgresOptions::default() }).await
}

async fn room(url: &str, deadline: Duration) -> Room {
    let clock = Arc::new(ManualClock::default());
    let store = PostgresStore::open(url, PostgresOptions { deadline, ..options(&clock) }).await;
    Room { store: Arc::new(store.expect("should open")), clock }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_is_there_after_the_server_was_killed_again_and_again() {
    let mut server = server(true).await;
    // However long a busy machine takes to start it again.
    let room = Arc::new(room(&server.url(), Duration::from_secs(60)).await);
    let callee = Callee::new("f");
    let stop = AtomicBool::new(false);
    let accept = async || {
        let mut answered: Vec<InvocationId> = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let call = room.call(&callee);
            let id = call.id;
            match room.store.accept(call).await.expect("the server comes back in time") {
                Accepted::New => answered.push(id),
                Accepted::Existing(_) => panic!("a call of its own is never another's"),
            }
        }
        answered
    };
    let nemesis = async {
        for _ in 0..2 {
            sleep(Duration::from_millis(400)).await;
            server.signal(Signal::Kill);
            server.restart().await;
        }
        sleep(Duration::from_millis(200)).await;
        stop.store(true, Ordering::Relaxed);
    };
    let (answered, ()) = tokio::join!(join_all((0..16).map(|_| accept())), nemesis);
    let answered: Vec<InvocationId> = answered.into_iter().flatten().collect();
    assert!(answered.len() > 50, "{}", answered.len());
    for id in &answered {
        assert_eq!(room.get(*id).await.state(), State::Queued);
    }
    let all = room.store.count(&InvocationFilter::default()).await.expect("a count");
    assert_eq!(all, answered.len() as u64, "and none that was not answered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_server_is_unavailable_in_bounded_time_and_heals() {
    let server = server(false).await;
    let room = room(&server.url(), DEADLINE).await;
    let callee = Callee::new("f");
    let id = room.accepted(&callee).await;
    room.store.ping().await.expect("should be written");
    server.signal(Signal::Stop);
    let begun = Instant::now();
    let accepts = join_all((0..40).map(|_| room.store.accept(room.call(&callee))));
    let reads = join_all((0..20).map(|_| room.store.get(id)));
    let by = worker("a");
    let claim = room.store.claim(vec![ClaimRequest { invocation: id, max_age: DEADLINE }], &by, DEADLINE);
    let (accepts, reads, ping, claim) = tokio::join!(accepts, reads, room.store.ping(), claim);
    assert!(begun.elapsed() < DEADLINE + Duration::from_secs(1), "{:?}", begun.elapsed());
    for error in accepts.into_iter().map(|answer| answer.expect_err("is stopped")) {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
    for error in reads.into_iter().map(|answer| answer.expect_err("is stopped")) {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
    assert_eq!(ping.expect_err("is stopped").kind(), ErrorKind::Unavailable);
    // Nothing can be said of the call: it is not run, and its message comes again.
    let claim = claim.map(|claims| matches!(claims.as_slice(), [Claim::Stale(None)]));
    assert!(claim.as_ref().is_err() || claim.is_ok_and(|stale| stale));

    server.signal(Signal::Continue);
    let begun = Instant::now();
    while room.store.accept(room.call(&callee)).await.is_err() || room.store.get(id).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(10), "it should heal");
    }
    room.store.ping().await.expect("should be written");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_writes_wait_for_a_lock_reads_and_the_health_check_answer() {
    let server = server(false).await;
    let room = room(&server.url(), DEADLINE).await;
    let callee = Callee::new("f");
    let id = room.accepted(&callee).await;
    let lock = "BEGIN; LOCK TABLE invocations IN EXCLUSIVE MODE; SELECT pg_sleep(4); COMMIT";
    let locked = async { server.sql("postgres", lock).await };
    let calls = async {
        sleep(Duration::from_millis(300)).await;
        let begun = Instant::now();
        let writes = join_all((0..20).map(|_| room.store.accept(room.call(&callee))));
        let reads = async {
            for _ in 0..20 {
                room.store.ping().await.expect("the server is well");
                assert_eq!(room.get(id).await.state(), State::Queued);
                room.store.queue_stats().await.expect("stats");
            }
            begun.elapsed()
        };
        let (writes, read) = tokio::join!(writes, reads);
        // The lock is held for longer.
        assert!(read < DEADLINE, "reads took {read:?}");
        assert!(begun.elapsed() < DEADLINE, "{:?}", begun.elapsed());
        for error in writes.into_iter().map(|answer| answer.expect_err("is locked")) {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        }
    };
    tokio::join!(locked, calls);
    room.accepted(&callee).await;
    assert_eq!(room.store.count(&InvocationFilter::default()).await.expect("a count"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_the_server_ends_are_made_anew_unseen() {
    let server = server(false).await;
    let room = room(&server.url(), Duration::from_secs(10)).await;
    let callee = Callee::new("f");
    let end =
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'eventflow'";
    let by = worker("a");
    for _ in 0..5 {
        let ids = join_all((0..30).map(|_| room.accepted(&callee))).await;
        let (answers, _) =
            tokio::join!(join_all(ids.iter().map(|&id| room.claim(id, &by))), server.sql("postgres", end));
        assert!(answers.iter().all(|claim| matches!(claim, Claim::Claimed(_))), "{answers:?}");
        assert_eq!(room.get(ids[0]).await.state(), State::Running);
    }
}

/// Between store and server; breaks the connection at a commit when it is told to.
struct Proxy {
    port: u16,
    breaks: Arc<AtomicU8>,
}

const NEVER: u8 = 0;
/// The server does not hear of the commit.
const BEFORE: u8 = 1;
/// The server commits, and the answer is lost.
const AFTER: u8 = 2;

impl Proxy {
    async fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let breaks = Arc::new(AtomicU8::new(NEVER));
        let told = Arc::clone(&breaks);
        spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", to)).await.expect("the server");
                spawn(pass(client, server, Arc::clone(&told)));
            }
        });
        Self { port, breaks }
    }
}

#[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(future);
}

async fn pass(client: TcpStream, server: TcpStream, breaks: Arc<AtomicU8>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let back = copy(&mut from_server, &mut to_client);
    let forth = async {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
            let commits = buffer[..count].windows(7).any(|part| part == b"COMMIT\0");
            let how = if commits { breaks.swap(NEVER, Ordering::SeqCst) } else { NEVER };
            if how == BEFORE {
                return true;
            }
            if to_server.write_all(&buffer[..count]).await.is_err() {
                return false;
            }
            if how == AFTER {
                return true;
            }
        }
        false
    };
    tokio::pin!(back);
    tokio::select! {
        biased;
        // The answer is not read any more.
        broke = forth => if broke { sleep(Duration::from_millis(100)).await },
        _ = &mut back => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_lost_at_the_commit_is_asked_about_and_nothing_is_done_twice_or_lost() {
    let server = server(false).await;
    let proxy = Proxy::start(server.port()).await;
    let url = server.url().replace(&server.port().to_string(), &proxy.port.to_string());
    let room = room(&url, Duration::from_secs(10)).await;
    let callee = Callee::new("f");
    for how in [BEFORE, AFTER] {
        let broken = || proxy.breaks.store(how, Ordering::SeqCst);
        let call = room.keyed(&callee, &format!("key {how}"), 1);
        broken();
        let accepted = room.store.accept(call.clone()).await.expect("should be accepted");
        assert!(matches!(accepted, Accepted::New), "{accepted:?}");
        assert_eq!(proxy.breaks.load(Ordering::SeqCst), NEVER, "it was broken");
        let id = call.id;
        assert_eq!(room.get(id).await.state(), State::Queued);
        broken();
        let claimed = room.claimed(id, &worker("a")).await;
        assert_eq!((claimed.lifecycle.epoch, claimed.lifecycle.attempts), (Epoch(1), 1));
        broken();
        let settled = room.store.settle(room.end(id, Epoch(1), Verdict::Succeeded)).await.expect("an answer");
        assert!(matches!(settled, Settled::Done(ended) if ended.state() == State::Succeeded));
        assert_eq!(room.get(id).await.attempts.len(), 1);
        assert_eq!(proxy.breaks.load(Ordering::SeqCst), NEVER, "it was broken");
    }
    assert_eq!(room.store.count(&InvocationFilter::default()).await.expect("a count"), 2);
    assert_eq!(server.sql("postgres", "SELECT coalesce(sum(count), 0) FROM waiting").await, "0");
}
