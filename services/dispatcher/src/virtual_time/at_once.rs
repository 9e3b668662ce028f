use super::world::{Member, World};
use eventflow_domain::{Function, InvocationId, Reason, State};
use std::time::Duration;
use tokio::time::Instant;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn accept(world: &World, member: &Member, function: &Function, script: &str) -> (InvocationId, State) {
    let new = world.new_call(function, script, Duration::ZERO);
    let id = new.id;
    (id, member.dispatcher.accept(new).await.expect("accepted").1)
}

#[tokio::test(start_paused = true)]
async fn a_call_is_committed_as_running_where_a_slot_is_free_and_as_queued_where_none_is() {
    let (world, member) = World::alone(|config| config.slots = 2).await;
    let function = world.apply("quick", |_| ()).await;
    let begun = Instant::now();
    let mut ids = Vec::new();
    for wanted in [State::Running, State::Running, State::Queued, State::Queued] {
        let (id, state) = accept(&world, &member, &function, "sleep 1000").await;
        assert_eq!((state, world.record(id).state()), (wanted, wanted));
        ids.push(id);
    }
    for (id, after) in ids.into_iter().zip([0, 0, 1, 1]) {
        let record = world.ended(id).await;
        assert_eq!((record.state(), record.attempts.len()), (State::Succeeded, 1));
        let started = world.starts_of(id)[0] - begun;
        assert!((s(after)..s(after) + Duration::from_millis(20)).contains(&started), "{started:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_overtakes_none_that_waits() {
    let (world, member) = World::alone(|config| config.slots = 2).await;
    let function = world.apply("busy", |spec| spec.concurrency = Some(1)).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(accept(&world, &member, &function, "sleep 1000").await.0);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    for id in &ids {
        world.ended(*id).await;
    }
    let started: Vec<_> = world.starts().iter().map(|start| start.id).collect();
    assert_eq!(started, ids);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_call_and_one_of_a_paused_function_are_queued() {
    let (world, member) = World::alone(|_| ()).await;
    let function = world.apply("later", |_| ()).await;
    let new = world.new_call(&function, "ok", s(5));
    assert_eq!(member.dispatcher.accept(new).await.expect("accepted").1, State::Queued);
    world.paused(&function, true).await;
    assert_eq!(accept(&world, &member, &function, "ok").await.1, State::Queued);
    tokio::time::sleep(s(60)).await;
    assert_eq!(world.starts().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn it_is_retried_and_taken_over_like_any_other() {
    let world = World::new(|_| ()).await;
    let (first, _second) = (world.joins(), world.joins());
    let function = world.apply("long", |spec| spec.retry.max_attempts = 2).await;
    let (failing, state) = accept(&world, &first, &function, "fail").await;
    assert_eq!(state, State::Running);
    assert_eq!(world.ended(failing).await.attempts.len(), 2);
    let (hung, _) = accept(&world, &first, &function, "sleep 100000").await;
    tokio::time::sleep(s(65)).await;
    assert_eq!(world.starts_of(hung).len(), 1, "its lease is renewed");
    first.hang().await;
    let record = world.ended(hung).await;
    assert_eq!((record.state(), record.attempts.len()), (State::Succeeded, 2));
    assert_eq!(record.attempts[0].failure.as_ref().expect("why").reason, Reason::Lost);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_during_the_accept_leaves_no_call_that_nobody_runs() {
    let (world, member) = World::alone(|_| ()).await;
    let function = world.apply("left", |_| ()).await;
    member.hang().await;
    let new = world.new_call(&function, "ok", Duration::ZERO);
    let id = new.id;
    assert!(tokio::time::timeout(s(1), member.dispatcher.accept(new)).await.is_err());
    member.comes_back();
    world.until(s(1), || world.store.has_calls()).await;
    assert_eq!(world.ended(id).await.attempts.len(), 1);
    assert_eq!(member.dispatcher.status().running, 0);
}
