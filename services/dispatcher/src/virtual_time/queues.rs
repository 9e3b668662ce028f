use super::world::World;
use eventflow_domain::ports::{Clock as _, InvocationStore as _};
use eventflow_domain::{Reason, State};
use std::time::Duration;
use tokio::time::Instant;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn a_delayed_call_starts_at_its_time_and_never_before() {
    let (world, _member) = World::alone(|_| ()).await;
    let function = world.apply("later", |_| ()).await;
    for delay in [s(90), s(3600), Duration::from_millis(1500)] {
        let begun = Instant::now();
        let id = world.accept(&function, "ok", delay).await;
        let record = world.ended(id).await;
        let waited = world.starts_of(id)[0] - begun;
        // Nobody told the relay of the call: it looks for rows every second, and knows the next from then on.
        assert!((delay..delay + Duration::from_millis(50)).contains(&waited), "{waited:?} of {delay:?}");
        assert_eq!(record.state(), State::Succeeded);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_nobody_told_of_is_found_within_a_second() {
    let (world, _member) = World::alone(|_| ()).await;
    let function = world.apply("quiet", |_| ()).await;
    tokio::time::sleep(s(10)).await;
    let begun = Instant::now();
    let id = world.accept(&function, "ok", Duration::ZERO).await;
    world.ended(id).await;
    assert!(world.starts_of(id)[0] - begun <= Duration::from_millis(1010));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_longer_than_its_queue_allows_expires_where_it_waits() {
    let (world, member) = World::alone(|_| ()).await;
    let function = world.apply("old", |spec| (spec.queue.max_age, spec.concurrency) = (s(60), Some(1))).await;
    let first = world.call(&member, &function, "sleep 100000").await;
    let second = world.call(&member, &function, "ok").await;
    let record = world.ended(second).await;
    assert_eq!((record.state(), record.failure.expect("why").reason), (State::Failed, Reason::Expired));
    let waited = record.ended_at.expect("ended").since(record.created_at);
    assert!((s(60)..s(71)).contains(&waited), "the queues are looked over every 10 s: {waited:?}");
    assert_eq!(world.ended(first).await.state(), State::Succeeded, "what runs is not in the queue");
    assert_eq!(world.starts_of(second), []);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_too_old_at_its_claim_expires_instead_of_running() {
    // The queues are never looked over.
    let (world, _member) = World::alone(|config| config.repair_every = s(86_400)).await;
    let function = world.apply("old", |spec| spec.queue.max_age = s(60)).await;
    world.paused(&function, true).await;
    let id = world.accept(&function, "ok", Duration::ZERO).await;
    tokio::time::sleep(s(300)).await;
    assert_eq!(world.record(id).state(), State::Queued);
    world.paused(&function, false).await;
    assert_eq!(world.ended(id).await.failure.expect("why").reason, Reason::Expired);
    assert_eq!(world.starts_of(id), []);
}

#[tokio::test(start_paused = true)]
async fn a_delay_or_a_backoff_is_no_waiting() {
    let (world, _member) = World::alone(|_| ()).await;
    let function = world.apply("patient", |spec| spec.queue.max_age = s(60)).await;
    let id = world.accept(&function, "ok", s(600)).await;
    assert_eq!(world.ended(id).await.state(), State::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn nothing_starts_while_a_function_is_paused_and_all_of_it_at_once_when_it_is_resumed() {
    let (world, member) = World::alone(|_| ()).await;
    let (function, other) = (world.apply("rest", |_| ()).await, world.apply("other", |_| ()).await);
    world.paused(&function, true).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(world.call(&member, &function, "ok").await);
    }
    tokio::time::sleep(s(3600)).await;
    let free = world.call(&member, &other, "ok").await;
    assert_eq!(world.ended(free).await.state(), State::Succeeded);
    assert_eq!(world.starts().len(), 1, "only the other function's call");
    world.paused(&function, false).await;
    let resumed = Instant::now();
    for id in ids {
        world.ended(id).await;
        assert!(world.starts_of(id)[0] - resumed < Duration::from_millis(20));
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_the_bus_forgot_come_again() {
    let (world, member) = World::alone(|_| ()).await;
    let function = world.apply("wiped", |spec| spec.concurrency = Some(1)).await;
    let first = world.call(&member, &function, "sleep 20000").await;
    let second = world.call(&member, &function, "ok").await;
    world.until(s(1), || world.running() == 1).await;
    tokio::time::sleep(s(1)).await;
    world.bus.purge(&function.key).await.expect("purged");
    let purged = Instant::now();
    for id in [first, second] {
        assert_eq!(world.ended(id).await.state(), State::Succeeded);
        assert_eq!(world.starts_of(id).len(), 1);
    }
    let waited = world.starts_of(second)[0] - purged;
    assert!(waited < s(60 + 2 * 10 + 1), "published again {waited:?} after it was lost");
    assert_eq!(world.store.queue_stats().await.expect("an answer"), []);
}

#[tokio::test(start_paused = true)]
async fn what_the_bus_says_that_it_forgot_comes_again_at_once() {
    let (world, member) = World::alone(|_| ()).await;
    let function = world.apply("wiped", |spec| spec.concurrency = Some(1)).await;
    let first = world.call(&member, &function, "sleep 1000").await;
    let waiting = [world.call(&member, &function, "ok").await, world.call(&member, &function, "ok").await];
    world.until(s(1), || world.running() == 1).await;
    tokio::time::sleep(s(2)).await;
    world.bus.purge(&function.key).await.expect("purged");
    let wiped = Instant::now();
    member.hears_that_the_bus_forgot(world.clock.now());
    for id in waiting {
        assert_eq!(world.ended(id).await.state(), State::Succeeded);
        assert!(world.starts_of(id)[0] - wiped < s(2));
    }
    assert_eq!(world.starts_of(first).len(), 1);
}

/// New calls come all the while, so that the bus is never empty.
#[tokio::test(start_paused = true)]
async fn calls_that_the_bus_forgot_come_again_though_others_wait() {
    let (world, member) = World::alone(|_| ()).await;
    let function = world.apply("busy", |spec| spec.concurrency = Some(1)).await;
    let first = world.call(&member, &function, "sleep 100000").await;
    world.until(s(1), || world.running() == 1).await;
    let mut forgotten = Vec::new();
    for _ in 0..20 {
        forgotten.push(world.call(&member, &function, "ok").await);
    }
    tokio::time::sleep(s(1)).await;
    world.bus.purge(&function.key).await.expect("purged");
    for _ in 0..5 {
        world.call(&member, &function, "ok").await;
    }
    assert_eq!(world.ended(first).await.state(), State::Succeeded);
    for id in forgotten {
        assert_eq!(world.ended(id).await.state(), State::Succeeded);
        assert_eq!(world.starts_of(id).len(), 1);
    }
}
