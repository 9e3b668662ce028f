use crate::world::World;
use eventflow_domain::ports::{InvocationFilter, SyncAnswer};
use eventflow_domain::{Body, ErrorKind, Reason, Source, State};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(10);

fn finished(answer: SyncAnswer) -> (eventflow_domain::Invocation, String) {
    match answer {
        SyncAnswer::Finished { invocation, body } => {
            (*invocation, String::from_utf8_lossy(&body).into_owned())
        }
        SyncAnswer::Accepted(invocation) => panic!("only accepted: {invocation:?}"),
    }
}

#[tokio::test]
async fn a_sync_call_is_answered_with_its_result_and_recorded_soon_after() {
    let world = World::new().await;
    let function = world.apply("sync", |_| ()).await;
    let call = World::sync_call(&function, "print hi; ok done", LONG);
    let id = call.id;
    let (answered, body) = finished(world.call(call).await.expect("an answer"));
    assert_eq!((answered.id, answered.state(), body.as_str()), (id, State::Succeeded, "done"));
    let record = world.ended(id).await;
    assert_eq!(record.result.body, Body::Inline("done".into()));
    assert_eq!((record.source, record.attempts.len()), (Source::Sync, 1));
    assert_eq!(record.lifecycle, answered.lifecycle);
}

#[tokio::test]
async fn a_sync_call_that_takes_a_while_has_its_record_while_it_runs_and_can_be_cancelled() {
    let world = World::new().await;
    let function = world.apply("while", |_| ()).await;
    let call = World::sync_call(&function, "hang", LONG);
    let id = call.id;
    let cancel = async {
        world.reaches(id, |state| state == State::Running).await;
        world.ports.store.cancel(id).await.expect("wish stored");
    };
    let (answer, ()) = tokio::join!(world.call(call), cancel);
    assert_eq!(finished(answer.expect("an answer")).0.state(), State::Cancelled);
}

#[tokio::test]
async fn a_sync_call_that_outlives_its_wait_is_accepted_work_from_then_on() {
    let world = World::new().await;
    let function = world.apply("late", |_| ()).await;
    let call = World::sync_call(&function, "sleep 600; ok late", Duration::from_millis(200));
    let id = call.id;
    let SyncAnswer::Accepted(answered) = world.call(call).await.expect("an answer") else {
        panic!("finished")
    };
    assert_eq!(answered.id, id);
    let stored = world.ports.store.get(id).await.expect("read").expect("committed before the answer");
    assert_eq!(stored.state(), State::Running);
    let record = world.ended(id).await;
    assert_eq!((record.state(), record.attempts.len()), (State::Succeeded, 1));
    assert_eq!(world.runtime.starts(), 1);
}

#[tokio::test]
async fn a_sync_call_without_a_slot_in_time_is_queued() {
    let world = World::with(|config| config.slots = 1).await;
    let function = world.apply("full", |_| ()).await;
    let first = world.accept(&function, "sleep 500; ok").await;
    world.reaches(first, |state| state == State::Running).await;
    let call = World::sync_call(&function, "ok", Duration::from_millis(50));
    let id = call.id;
    let SyncAnswer::Accepted(answered) = world.call(call).await.expect("an answer") else {
        panic!("finished")
    };
    assert_eq!(answered.state(), State::Queued);
    assert_eq!(world.ended(id).await.state(), State::Succeeded);
}

#[tokio::test]
async fn a_failure_of_a_sync_call_is_an_answer_and_no_dead_letter() {
    let world = World::new().await;
    let function = world.apply("fails", |spec| spec.retry.max_attempts = 5).await;
    for script in ["fail", "sleep 200; fail"] {
        let call = World::sync_call(&function, script, LONG);
        let id = call.id;
        let (answered, _) = finished(world.call(call).await.expect("an answer"));
        assert_eq!(answered.failure.expect("why").reason, Reason::ExitCode);
        let record = world.ended(id).await;
        assert_eq!((record.state(), record.attempts.len()), (State::Failed, 1), "{script}");
    }
    let dead = InvocationFilter { dead_letter: Some(true), ..InvocationFilter::default() };
    for _ in 0..100 {
        if world.ports.store.count(&dead).await.expect("counted") == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a dead letter is left");
}

#[tokio::test]
async fn the_same_key_gives_the_first_answer_and_one_run() {
    let world = World::new().await;
    let function = world.apply("keyed", |_| ()).await;
    for script in ["ok once", "fail"] {
        let (first, body) =
            finished(world.call(world.keyed_call(&function, script, LONG, script)).await.expect("one"));
        let (again, same) =
            finished(world.call(world.keyed_call(&function, script, LONG, script)).await.expect("two"));
        assert_eq!((first.id, body), (again.id, same));
        assert_eq!(first.state(), again.state());
    }
    assert_eq!(world.runtime.starts(), 2);
}

#[tokio::test]
async fn the_same_key_in_flight_is_a_conflict_and_another_payload_is_refused() {
    let world = World::new().await;
    let function = world.apply("racing", |_| ()).await;
    let calls = (0..8).map(|_| world.call(world.keyed_call(&function, "sleep 200; ok", LONG, "k")));
    let answers = futures::future::join_all(calls).await;
    assert_eq!(world.runtime.starts(), 1);
    let (good, bad): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(good.len(), 1);
    for error in bad.into_iter().map(|answer| answer.expect_err("a conflict")) {
        assert_eq!((error.kind(), error.reason()), (ErrorKind::VersionConflict, "IdempotencyKeyInFlight"));
    }
    let mut other = world.keyed_call(&function, "ok", LONG, "k");
    other.idempotency.as_mut().expect("a key").payload_hash = [2; 32];
    assert_eq!(world.call(other).await.expect_err("refused").kind(), ErrorKind::KeyReused);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_end_the_run_nor_lose_its_record() {
    let world = World::new().await;
    let function = world.apply("left", |_| ()).await;
    let call = World::sync_call(&function, "sleep 150; ok", LONG);
    let id = call.id;
    let left = tokio::time::timeout(Duration::from_millis(30), world.call(call)).await;
    assert!(left.is_err());
    assert_eq!(world.ended(id).await.state(), State::Succeeded);
    world.until("the slot comes free", |world| world.dispatcher.status().running == 0).await;
}

#[tokio::test]
async fn a_shutdown_writes_every_record() {
    let world = World::with(|config| config.record_flush = Duration::from_secs(60)).await;
    let function = world.apply("flush", |_| ()).await;
    let calls = (0..50).map(|_| world.call(World::sync_call(&function, "ok", LONG)));
    let answers = futures::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 50);
    let store = world.ports.store.clone();
    world.shutdown().await;
    assert_eq!(store.count(&InvocationFilter::default()).await.expect("counted"), 50);
}
