use super::world::{Member, World};
use eventflow_domain::{Reason, State};
use std::time::Duration;
use tokio::time::Instant;

const LEASE: Duration = Duration::from_secs(30);

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn leases_are_renewed_every_third_of_them_while_a_call_runs_and_not_otherwise() {
    let (world, member) = World::alone(|_| ()).await;
    let function = world.apply("long", |_| ()).await;
    let id = world.call(&member, &function, "sleep 600000").await;
    let record = world.ended(id).await;
    assert_eq!((record.state(), record.attempts.len()), (State::Succeeded, 1));
    let renewals = world.store.renewals();
    let begun = record.attempts[0].started_at;
    assert!(renewals[0].0.since(begun) <= LEASE / 3, "the first comes in time too: {renewals:?}");
    let pauses: Vec<_> = renewals.windows(2).map(|pair| pair[1].0.since(pair[0].0)).collect();
    assert!((59..=60).contains(&renewals.len()), "{} in 600 s", renewals.len());
    let third = LEASE / 3;
    assert!(pauses.iter().all(|pause| (third..third + s(1)).contains(pause)), "{pauses:?}");
    tokio::time::sleep(s(600)).await;
    assert_eq!(world.store.renewals().len(), renewals.len(), "nothing is held");
}

#[tokio::test(start_paused = true)]
async fn the_work_of_a_dispatcher_that_hangs_is_taken_over_when_its_lease_is_over() {
    let world = World::new(|_| ()).await;
    let (first, function) = (world.joins(), world.apply("long", |_| ()).await);
    let id = world.call(&first, &function, "sleep 20000").await;
    world.until(s(1), || world.running() == 1).await;
    let (_second, claimed) = (world.joins(), Instant::now());
    first.hang().await;
    world.until(s(60), || world.starts_of(id).len() == 2).await;
    let waited = Instant::now() - claimed;
    assert!((s(29)..s(33)).contains(&waited), "{waited:?}");
    let record = world.ended(id).await;
    assert_eq!((record.state(), record.attempts.len(), record.lifecycle.lost), (State::Succeeded, 2, 1));
    let lost = record.attempts[0].failure.as_ref().expect("a cause");
    assert_eq!(lost.reason, Reason::Lost);
}

#[tokio::test(start_paused = true)]
async fn a_dispatcher_that_comes_back_to_a_lost_lease_decides_nothing_and_ends_its_run() {
    let world = World::new(|_| ()).await;
    let (first, function) = (world.joins(), world.apply("long", |_| ()).await);
    let id = world.call(&first, &function, "sleep 100000").await;
    world.until(s(1), || world.running() == 1).await;
    let _second = world.joins();
    first.hang().await;
    world.until(s(60), || world.starts_of(id).len() == 2).await;
    assert_eq!(world.running(), 2, "at least once, under two epochs");
    first.comes_back();
    world.until(LEASE / 3 + s(1), || world.running() == 1).await;
    let record = world.ended(id).await;
    assert_eq!((record.state(), record.attempts.len()), (State::Succeeded, 2));
    let run = record.attempts[1].ended_at.expect("ended").since(record.attempts[1].started_at);
    assert!(run >= s(100), "ended by the second run, not by the first: {run:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_ends_every_dispatcher_is_given_up_after_its_own_bound() {
    let world = World::new(|_| ()).await;
    let function = world.apply("killer", |spec| spec.retry.max_attempts = 1).await;
    let mut member = world.joins();
    let id = world.call(&member, &function, "hang").await;
    let mut gone = Vec::new();
    for lost in 1..=6 {
        world.until(s(120), || world.starts_of(id).len() == lost).await;
        member.hang().await;
        gone.push(std::mem::replace(&mut member, world.joins()));
    }
    let record = world.ended(id).await;
    assert_eq!((record.state(), record.attempts.len(), record.lifecycle.lost), (State::Failed, 6, 6));
    assert_eq!(record.failure.expect("why").reason, Reason::Lost);
    assert!(record.lifecycle.dead_letter);
    assert!(record.attempts.iter().all(|attempt| attempt.failure.is_some() && attempt.ended_at.is_some()));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_away_for_longer_than_a_lease_costs_no_running_call() {
    for replicas in 1..=3 {
        let world = World::new(|_| ()).await;
        let mut members = Vec::new();
        for _ in 0..replicas {
            members.push(world.joins());
            // They do not look at the same moment.
            tokio::time::sleep(Duration::from_millis(230)).await;
        }
        let function = world.apply("long", |_| ()).await;
        let mut ids = Vec::new();
        for member in members.iter().cycle().take(12) {
            ids.push(world.call(member, &function, "sleep 600000").await);
        }
        world.until(s(5), || world.running() == ids.len()).await;
        tokio::time::sleep(s(7)).await;
        members.iter().for_each(Member::cut_off);
        tokio::time::sleep(LEASE * 4).await;
        members.iter().for_each(Member::comes_back);
        for id in ids {
            let record = world.ended(id).await;
            assert_eq!((record.state(), record.attempts.len()), (State::Succeeded, 1), "{replicas} replicas");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_loses_no_running_call() {
    let (world, member) = World::alone(|config| config.sole = true).await;
    let function = world.apply("long", |_| ()).await;
    let id = world.call(&member, &function, "sleep 60000").await;
    world.until(s(1), || world.running() == 1).await;
    tokio::time::sleep(s(12)).await;
    world.clock.sleep(s(3600));
    let record = world.ended(id).await;
    assert_eq!((record.state(), record.attempts.len()), (State::Succeeded, 1));
}

#[tokio::test(start_paused = true)]
async fn a_dispatcher_that_starts_alone_takes_over_at_once_what_the_last_one_left() {
    let world = World::new(|config| config.sole = true).await;
    let (first, function) = (world.joins(), world.apply("long", |_| ()).await);
    let id = world.call(&first, &function, "sleep 20000").await;
    world.until(s(1), || world.running() == 1).await;
    first.hang().await;
    let (_second, joined) = (world.joins(), Instant::now());
    world.until(s(2), || world.starts_of(id).len() == 2).await;
    assert!(Instant::now() - joined < s(1));
    assert_eq!(world.ended(id).await.state(), State::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn the_delete_of_a_function_ends_its_runs_in_every_dispatcher_at_once() {
    let world = World::new(|_| ()).await;
    let members = [world.joins(), world.joins(), world.joins()];
    let function = world.apply("gone", |_| ()).await;
    let mut ids = Vec::new();
    for member in members.iter().cycle().take(9) {
        ids.push(world.call(member, &function, "hang").await);
    }
    world.until(s(5), || world.running() == ids.len()).await;
    world.registry.delete(&function.key, None).await.expect("deleted");
    world.until(s(1), || world.running() == 0).await;
    for id in ids {
        let record = world.ended(id).await;
        assert_eq!((record.state(), record.attempts.len()), (State::Cancelled, 1));
        assert_eq!(record.failure.expect("why").reason, Reason::FunctionDeleted);
    }
}
