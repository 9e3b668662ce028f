use super::world::World;
use eventflow_domain::{Epoch, Reason, State};
use std::time::Duration;
use tokio::time::Instant;

const LEASE: Duration = Duration::from_secs(30);

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_dispatcher_hangs_is_taken_over_as_the_same_attempt() {
    let world = World::of_jobs().await;
    let (first, function) = (world.joins(), world.apply("long", |_| ()).await);
    let id = world.call(&first, &function, "sleep 100000").await;
    world.until(s(1), || world.jobs() == 1).await;
    let _second = world.joins();
    first.hang().await;
    world.until(s(60), || world.record(id).lifecycle.epoch == Epoch(2)).await;
    let record = world.ended(id).await;
    assert_eq!((record.state(), record.attempts.len(), record.lifecycle.lost), (State::Succeeded, 1, 0));
    assert_eq!((record.lifecycle.epoch, record.lifecycle.attempts), (Epoch(2), 1));
    assert_eq!(world.starts_of(id).len(), 1, "never started again");
}

#[tokio::test(start_paused = true)]
async fn a_dispatcher_that_comes_back_leaves_a_job_that_was_taken_over_alone() {
    let world = World::of_jobs().await;
    let (first, function) = (world.joins(), world.apply("long", |_| ()).await);
    let id = world.call(&first, &function, "sleep 100000").await;
    world.until(s(1), || world.jobs() == 1).await;
    let _second = world.joins();
    first.hang().await;
    world.until(s(60), || world.record(id).lifecycle.epoch == Epoch(2)).await;
    first.comes_back();
    tokio::time::sleep(LEASE).await;
    assert_eq!((world.record(id).state(), world.jobs()), (State::Running, 1), "the job goes on");
    let record = world.ended(id).await;
    assert_eq!((record.state(), record.attempts.len()), (State::Succeeded, 1));
    let ran = record.attempts[0].ended_at.expect("ended").since(record.attempts[0].started_at);
    assert!((s(100)..s(102)).contains(&ran), "its own end decided: {ran:?}");
}

#[tokio::test(start_paused = true)]
async fn a_dispatcher_that_stops_hands_its_jobs_over_at_once() {
    let world = World::of_jobs().await;
    let (first, function) = (world.joins(), world.apply("long", |_| ()).await);
    let id = world.call(&first, &function, "sleep 300000").await;
    world.until(s(1), || world.jobs() == 1).await;
    let _second = world.joins();
    // It gives others the time to renew before its first look.
    tokio::time::sleep(s(15)).await;
    first.dispatcher.shutdown(s(1)).await;
    let stopped = Instant::now();
    world.until(s(10), || world.record(id).lifecycle.epoch == Epoch(2)).await;
    assert!(stopped.elapsed() < s(5), "not only when the lease is over: {:?}", stopped.elapsed());
    let record = world.ended(id).await;
    assert_eq!((record.state(), record.attempts.len(), record.lifecycle.lost), (State::Succeeded, 1, 0));
    assert_eq!(world.starts_of(id).len(), 1);
}

/// As in a rolling update: one dispatcher is gone, and another stops while it is looked after what that has left.
#[tokio::test(start_paused = true)]
async fn a_job_that_is_handed_over_while_others_are_looked_for_is_not_lost() {
    let world = World::of_jobs().await;
    let (first, function) = (world.joins(), world.apply("long", |_| ()).await);
    let gone = world.call(&first, &function, "sleep 300000").await;
    world.until(s(1), || world.jobs() == 1).await;
    first.hang().await;
    tokio::time::sleep(s(10)).await;
    let second = world.joins();
    let handed = world.call(&second, &function, "sleep 300000").await;
    world.until(s(1), || world.jobs() == 2).await;
    second.hang().await;
    world.cluster_slow(s(2));
    let _third = world.joins();
    world.until(s(60), || world.looks() == 1).await;
    world.store.end_lease(handed);
    for id in [gone, handed] {
        world.until(s(30), || world.record(id).lifecycle.epoch == Epoch(2)).await;
        let record = world.ended(id).await;
        assert_eq!((record.state(), record.attempts.len(), record.lifecycle.lost), (State::Succeeded, 1, 0));
        assert_eq!(world.starts_of(id).len(), 1, "never started again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_gone_is_lost_and_made_again_as_the_next_attempt() {
    let world = World::of_jobs().await;
    let (first, function) = (world.joins(), world.apply("long", |_| ()).await);
    let id = world.call(&first, &function, "sleep 100000").await;
    world.until(s(1), || world.jobs() == 1).await;
    first.hang().await;
    world.remove_jobs();
    let _second = world.joins();
    let record = world.ended(id).await;
    assert_eq!((record.state(), record.attempts.len(), record.lifecycle.lost), (State::Succeeded, 2, 1));
    assert_eq!(record.attempts[0].failure.as_ref().expect("why").reason, Reason::Lost);
    assert_eq!(world.starts_of(id).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_cannot_be_seen_is_neither_lost_nor_taken_over_until_it_can() {
    let world = World::of_jobs().await;
    let (first, function) = (world.joins(), world.apply("long", |_| ()).await);
    let id = world.call(&first, &function, "sleep 600000").await;
    world.until(s(1), || world.jobs() == 1).await;
    first.hang().await;
    world.cluster_away(true);
    let _second = world.joins();
    tokio::time::sleep(LEASE * 4).await;
    let record = world.record(id);
    assert_eq!(
        (record.state(), record.lifecycle.epoch, record.lifecycle.lost),
        (State::Running, Epoch(1), 0)
    );
    world.cluster_away(false);
    world.until(s(5), || world.record(id).lifecycle.epoch == Epoch(2)).await;
    let record = world.ended(id).await;
    assert_eq!((record.state(), record.attempts.len()), (State::Succeeded, 1));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_is_ended() {
    let (world, function) = {
        let world = World::of_jobs().await;
        let function = world.apply("long", |_| ()).await;
        (world, function)
    };
    let member = world.joins();
    let id = world.call(&member, &function, "sleep 600000").await;
    world.until(s(1), || world.jobs() == 1).await;
    world.cancel(id).await;
    world.until(s(15), || world.jobs() == 0).await;
    assert_eq!(world.ended(id).await.state(), State::Cancelled);
}
