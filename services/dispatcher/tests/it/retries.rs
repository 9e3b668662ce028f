use crate::world::World;
use eventflow_domain::invocation::Stored;
use eventflow_domain::lifecycle::{Policy, Verdict};
use eventflow_domain::ports::{ClaimRequest, Settled, Settlement};
use eventflow_domain::spec::{Backoff, RetryPolicy};
use eventflow_domain::{Reason, State, WorkerId};
use std::time::Duration;

fn at_once(max_attempts: u32) -> RetryPolicy {
    let backoff = Backoff { initial: Duration::from_millis(10), ..Backoff::default() };
    RetryPolicy { max_attempts, backoff }
}

#[tokio::test]
async fn a_call_that_always_fails_is_tried_as_often_as_asked_and_becomes_a_dead_letter() {
    let world = World::new().await;
    let function = world.apply("bad", |spec| spec.retry = at_once(3)).await;
    let id = world.accept(&function, "fail").await;
    let record = world.ended(id).await;
    assert_eq!(record.state(), State::Failed);
    assert_eq!(record.attempts.len(), 3);
    assert!(record.lifecycle.dead_letter);
    assert_eq!(record.failure.expect("why").reason, Reason::ExitCode);
}

#[tokio::test]
async fn a_retry_may_succeed() {
    let world = World::new().await;
    let function = world.apply("flaky", |spec| spec.retry = at_once(5)).await;
    let id = world.accept(&function, "fail-until 3; ok third").await;
    let record = world.ended(id).await;
    assert_eq!((record.state(), record.attempts.len()), (State::Succeeded, 3));
    assert!(!record.lifecycle.dead_letter);
}

#[tokio::test]
async fn reasons_of_the_runtime_reach_the_record() {
    let world = World::new().await;
    let function = world.apply("ends", |_| ()).await;
    for (script, reason) in
        [("timeout", Reason::Timeout), ("panic", Reason::Internal), ("fail", Reason::ExitCode)]
    {
        let id = world.accept(&function, script).await;
        assert_eq!(world.ended(id).await.failure.expect("why").reason, reason, "{script}");
    }
}

#[tokio::test]
async fn http_statuses_decide_over_retries() {
    let world = World::new().await;
    let function = world
        .apply("web", |spec| {
            spec.mode = eventflow_domain::Mode::Http;
            spec.port = Some(80);
            spec.retry = at_once(2);
        })
        .await;
    for (script, state, attempts) in [
        ("ok; status 200", State::Succeeded, 1),
        ("ok; status 404", State::Failed, 1),
        ("ok; status 500", State::Failed, 2),
    ] {
        let id = world.accept(&function, script).await;
        let record = world.ended(id).await;
        assert_eq!((record.state(), record.attempts.len()), (state, attempts), "{script}");
    }
    let id = world.accept(&function, "ok; status 429").await;
    let record = world.reaches(id, |state| state == State::Retrying).await;
    let wait = record.lifecycle.not_before.since(record.attempts[0].ended_at.expect("ended"));
    assert!(wait >= Duration::from_millis(2900), "Retry-After is honoured: {wait:?}");
    let headers = world.runtime.0.lock().headers.clone();
    assert_eq!(headers["ce-id"], id.to_string());
    assert_eq!(headers["ce-specversion"], "1.0");
    assert!(headers["traceparent"].to_str().expect("text").contains(&record.trace.trace_id_hex()));
}

#[tokio::test]
async fn a_lost_lease_queues_the_call_again_and_the_old_result_is_refused() {
    let world = World::new().await;
    let function = world.apply("lost", |_| ()).await;
    world.ports.registry.set_paused(&function.key, true).await.expect("paused");
    let id = world.accept(&function, "ok mine").await;
    let zombie = WorkerId::generate("zombie");
    let request = ClaimRequest { invocation: id, max_age: Duration::from_secs(60) };
    let lease = Duration::from_millis(100);
    let store = &world.ports.store;
    store.claim(vec![request], &zombie, lease).await.expect("claimed by a worker that then hangs");
    world.reaches(id, |state| state == State::Queued).await;
    world.ports.registry.set_paused(&function.key, false).await.expect("resumed");
    let record = world.ended(id).await;
    assert_eq!((record.state(), record.attempts.len()), (State::Succeeded, 2));
    assert_eq!(record.attempts[0].failure.as_ref().expect("why").reason, Reason::Lost);
    let late = Settlement {
        invocation: id,
        epoch: record.attempts[0].epoch,
        verdict: Verdict::Succeeded,
        policy: Policy { retry: at_once(1), max_lost: 5 },
        jitter: 0,
        start: None,
        started_at: record.created_at,
        exit_code: None,
        result: Stored::NOTHING,
        http_status: None,
        drop_payload: false,
        logs_truncated: false,
    };
    assert!(matches!(store.settle(late).await, Ok(Settled::Refused(_))));
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_ends_the_run_and_writes_nothing() {
    let world = World::with(|config| config.lease = Duration::from_millis(300)).await;
    let function = world.apply("hang", |_| ()).await;
    let id = world.accept(&function, "hang").await;
    world.until("it runs", |world| world.runtime.running() == 1).await;
    // Another dispatcher that believes all others dead takes the call over.
    let policy = Policy { retry: at_once(1), max_lost: 0 };
    let other = WorkerId::generate("other");
    world.ports.store.sweep(&other, true, policy, 10, &[]).await.expect("swept");
    world.until("the run is ended", |world| world.runtime.running() == 0).await;
    let record = world.ended(id).await;
    assert_eq!((record.state(), record.failure.expect("why").reason), (State::Failed, Reason::Lost));
}

#[tokio::test]
async fn a_call_that_runs_many_leases_long_is_started_once() {
    let world = World::with(|config| config.lease = Duration::from_millis(300)).await;
    let function = world.apply("long", |_| ()).await;
    let id = world.accept(&function, "sleep 1500; ok").await;
    let record = world.ended(id).await;
    assert_eq!((record.state(), record.attempts.len()), (State::Succeeded, 1));
    assert_eq!(world.runtime.starts(), 1);
}
