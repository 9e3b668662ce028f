use super::*;
use crate::Signal;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::oneshot;
use tokio::time::Instant;

fn supervisor() -> Supervisor {
    Supervisor::new(ShutdownConfig::default())
}

fn silent() -> Signals {
    Signals::channel().1
}

#[tokio::test(start_paused = true)]
async fn a_fatal_task_that_panics_ends_the_process_and_is_named() {
    let supervisor = supervisor();
    supervisor.spawn("relay", OnExit::Shutdown, async { assert!(std::hint::black_box(false), "no disk") });
    let exit = supervisor.run(silent()).await;
    assert_eq!(exit, Exit::Failed { task: "relay", error: "panicked: no disk".into() });
    assert_eq!(exit.code(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_fatal_task_that_returns_unasked_ends_the_process() {
    let supervisor = supervisor();
    supervisor.spawn("server", OnExit::Shutdown, async {});
    assert!(matches!(supervisor.run(silent()).await, Exit::Failed { task: "server", .. }));
}

#[tokio::test(start_paused = true)]
async fn an_error_is_told_with_its_causes() {
    let supervisor = supervisor();
    let cause = eventflow_domain::Error::internal("open store", "disk full");
    supervisor.spawn("store", OnExit::Shutdown, async { Err::<(), _>(cause) });
    let exit = supervisor.run(silent()).await;
    assert_eq!(exit, Exit::Failed { task: "store", error: "failed to open store: disk full".into() });
}

#[tokio::test(start_paused = true)]
async fn a_logged_task_that_dies_leaves_the_process_alive() {
    let (sender, signals) = Signals::channel();
    let supervisor = supervisor();
    supervisor.spawn("gc", OnExit::Log, async { assert!(std::hint::black_box(false), "oops") });
    let running = tokio::task::JoinSet::from_iter([supervisor.run(signals)]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    sender.send(Signal::Terminate).await.expect("still running");
    assert_eq!(running.join_all().await, [Exit::Clean]);
}

#[tokio::test(start_paused = true)]
async fn a_restarting_task_comes_back_with_growing_pauses() {
    let supervisor = supervisor();
    let (handle, starts) = (supervisor.handle(), Arc::new(AtomicUsize::new(0)));
    let (counter, began) = (Arc::clone(&starts), Instant::now());
    let stopper = supervisor.handle();
    handle.spawn_restarting("watch", move |token| {
        let (count, stopper) = (counter.fetch_add(1, Ordering::SeqCst) + 1, stopper.clone());
        async move {
            assert!(count >= 4, "lost the connection");
            stopper.shutdown("seen enough");
            token.cancelled().await;
        }
    });
    assert_eq!(supervisor.run(silent()).await, Exit::Clean);
    assert_eq!(starts.load(Ordering::SeqCst), 4);
    assert!(began.elapsed() >= Duration::from_millis(100 + 200 + 400), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_calls_before_it_cancels() {
    let (sender, signals) = Signals::channel();
    let supervisor = supervisor();
    let handle = supervisor.handle();
    let (done, mut finished) = oneshot::channel();
    let token = handle.token();
    let (draining, health) = (handle.draining(), handle.health().clone());
    handle.spawn_call("invoke", async move {
        draining.cancelled().await;
        assert!(!health.is_ready(), "not ready before draining");
        tokio::time::sleep(Duration::from_secs(20)).await;
        let _ = done.send(token.is_cancelled());
    });
    sender.send(Signal::Terminate).await.expect("sent");
    assert_eq!(supervisor.run(signals).await, Exit::Clean);
    assert_eq!(finished.try_recv(), Ok(false), "the call ended before the cancel");
}

#[tokio::test(start_paused = true)]
async fn the_grace_and_the_join_are_bounded() {
    let supervisor = supervisor();
    let handle = supervisor.handle();
    let guard = handle.in_flight();
    handle.spawn("stubborn", OnExit::Shutdown, std::future::pending::<()>());
    handle.shutdown("test");
    let began = Instant::now();
    assert_eq!(supervisor.run(silent()).await, Exit::Clean);
    assert_eq!(began.elapsed().as_secs(), 35);
    tokio::task::yield_now().await;
    assert!(handle.shared().running().is_empty(), "dropped");
    drop(guard);
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_exits_at_once() {
    let (sender, signals) = Signals::channel();
    let supervisor = supervisor();
    let _busy = supervisor.handle().in_flight();
    sender.send(Signal::Terminate).await.expect("sent");
    sender.send(Signal::Interrupt).await.expect("sent");
    let began = Instant::now();
    let exit = supervisor.run(signals).await;
    assert_eq!((exit.code(), began.elapsed()), (130, Duration::ZERO));
}

#[tokio::test]
async fn a_real_sigterm_shuts_down() {
    let signals = Signals::system().expect("handlers");
    let supervisor = supervisor();
    let draining = supervisor.handle().draining();
    supervisor.spawn("server", OnExit::Shutdown, async move { draining.cancelled().await });
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM).expect("sent");
    assert_eq!(supervisor.run(signals).await, Exit::Clean);
}

#[tokio::test(start_paused = true)]
async fn the_death_of_a_task_while_draining_is_no_failure() {
    let supervisor = supervisor();
    let handle = supervisor.handle();
    let draining = handle.draining();
    handle.spawn("server", OnExit::Shutdown, async move { draining.cancelled().await });
    handle.shutdown("test");
    assert_eq!(supervisor.run(silent()).await, Exit::Clean);
}
