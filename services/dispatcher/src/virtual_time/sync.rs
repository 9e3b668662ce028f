use super::world::World;
use eventflow_domain::ports::SyncAnswer;
use eventflow_domain::{ErrorKind, Reason, State};
use std::time::Duration;
use tokio::time::Instant;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn a_call_that_outlives_its_wait_is_committed_before_that_is_said_and_runs_on_under_a_lease() {
    let (world, member) = World::alone(|_| ()).await;
    let function = world.apply("slow", |_| ()).await;
    let answer = world.sync_call(&member, &function, "sleep 100000", s(2)).await.expect("an answer");
    let SyncAnswer::Accepted(told) = answer else { panic!("finished") };
    assert!((s(2)..s(2) + Duration::from_millis(10)).contains(&world.elapsed()), "{:?}", world.elapsed());
    assert_eq!(world.record(told.id).state(), State::Running);
    let record = world.ended(told.id).await;
    assert_eq!((record.state(), record.attempts.len()), (State::Succeeded, 1), "three leases long");
    assert_eq!(world.starts_of(told.id).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn accepted_work_of_a_sync_call_is_taken_over_when_its_dispatcher_hangs() {
    let world = World::new(|_| ()).await;
    let (first, _second) = (world.joins(), world.joins());
    let function = world.apply("slow", |_| ()).await;
    let answer = world.sync_call(&first, &function, "sleep 10000", s(2)).await.expect("an answer");
    let SyncAnswer::Accepted(told) = answer else { panic!("finished") };
    first.hang().await;
    let record = world.ended(told.id).await;
    assert_eq!((record.state(), record.attempts.len()), (State::Succeeded, 2));
    assert_eq!(record.attempts[0].failure.as_ref().expect("why").reason, Reason::Lost);
}

#[tokio::test(start_paused = true)]
async fn a_short_call_is_answered_before_its_record_is_written() {
    let (world, member) = World::alone(|_| ()).await;
    let function = world.apply("quick", |_| ()).await;
    let begun = Instant::now();
    let answer = world.sync_call(&member, &function, "sleep 5", s(10)).await.expect("an answer");
    assert!(Instant::now() - begun < Duration::from_millis(10));
    let SyncAnswer::Finished { invocation, .. } = answer else { panic!("only accepted") };
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.record(invocation.id).state(), State::Succeeded, "within 100 ms");
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_slot_waits_in_the_queue_until_its_budget_is_over() {
    let (world, member) = World::alone(|config| config.slots = 1).await;
    let function = world.apply("full", |_| ()).await;
    let first = world.call(&member, &function, "sleep 30000").await;
    world.until(s(1), || world.running() == 1).await;
    let (begun, wait) = (Instant::now(), s(3));
    let answer = world.sync_call(&member, &function, "ok", wait).await.expect("an answer");
    let SyncAnswer::Accepted(told) = answer else { panic!("finished") };
    let waited = Instant::now() - begun;
    assert!((wait..wait + Duration::from_millis(10)).contains(&waited), "{waited:?}");
    assert_eq!(told.state(), State::Queued);
    world.ended(first).await;
    assert_eq!(world.ended(told.id).await.state(), State::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_be_committed_is_never_said_to_be_accepted() {
    let (world, member) = World::alone(|_| ()).await;
    let function = world.apply("slow", |_| ()).await;
    member.hang().await;
    let answer = world.sync_call(&member, &function, "sleep 60000", s(2)).await;
    assert_eq!(answer.expect_err("a fake accept").kind(), ErrorKind::Unavailable);
    assert!((s(7)..s(8)).contains(&world.elapsed()), "{:?}", world.elapsed());
    member.comes_back();
    world.until(s(1), || world.store.has_calls()).await;
}
