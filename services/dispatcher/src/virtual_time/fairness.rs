use super::world::World;
use std::time::Duration;
use tokio::time::Instant;

const FLOOD: usize = 10_000;
/// One run of the flood.
const RUN: Duration = Duration::from_millis(100);

#[tokio::test(start_paused = true)]
async fn a_flood_of_one_function_delays_the_start_of_another_by_one_run_at_most() {
    let (world, member) = World::alone(|config| config.slots = 16).await;
    let (flood, other) = (world.apply("flood", |_| ()).await, world.apply("other", |_| ()).await);
    for _ in 0..FLOOD {
        world.accept(&flood, "sleep 100", Duration::ZERO).await;
    }
    member.dispatcher.wake_relay();
    world.until(Duration::from_secs(5), || world.starts().len() > 100).await;
    let mut delays = Vec::new();
    for _ in 0..40 {
        let asked = Instant::now();
        let id = world.call(&member, &other, "ok").await;
        world.ended(id).await;
        delays.push(world.starts_of(id)[0] - asked);
        tokio::time::sleep(Duration::from_millis(130)).await;
    }
    delays.sort_unstable();
    assert!(delays[39] <= RUN + Duration::from_millis(10), "{delays:?}");
    assert!(world.starts().len() < FLOOD, "the flood was over before the end");
}

#[tokio::test(start_paused = true)]
async fn two_floods_share_the_slots_equally_whenever_they_came() {
    let (world, member) = World::alone(|config| config.slots = 16).await;
    let (early, late) = (world.apply("early", |_| ()).await, world.apply("late", |_| ()).await);
    for _ in 0..4000 {
        world.accept(&early, "sleep 100", Duration::ZERO).await;
    }
    member.dispatcher.wake_relay();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut ids = std::collections::HashSet::new();
    for _ in 0..400 {
        ids.insert(world.accept(&late, "sleep 100", Duration::ZERO).await);
    }
    member.dispatcher.wake_relay();
    let came = Instant::now();
    let ended = || ids.iter().all(|id| world.record(*id).state().is_terminal());
    world.until(Duration::from_secs(60), ended).await;
    let took = Instant::now() - came;
    // Alone, 400 runs of 100 ms in 16 slots take 2.5 s; with a half of the slots twice that.
    assert!((Duration::from_millis(4500)..Duration::from_millis(5600)).contains(&took), "{took:?}");
    let started = world.starts();
    let meanwhile = started.iter().filter(|start| start.at >= came).count();
    let of_early = started.iter().filter(|start| start.at >= came && !ids.contains(&start.id)).count();
    assert!((of_early * 2).abs_diff(meanwhile) <= 64, "{of_early} of {meanwhile} starts");
}

#[tokio::test(start_paused = true)]
async fn a_crowd_of_waiting_callers_does_not_hold_up_the_one_of_another_function() {
    let (world, member) = World::alone(|config| config.slots = 4).await;
    let (crowd, other) = (world.apply("crowd", |_| ()).await, world.apply("other", |_| ()).await);
    let wait = Duration::from_secs(600);
    let waiting = (0..400).map(|_| world.sync_call(&member, &crowd, "sleep 100", wait));
    let one = async {
        tokio::time::sleep(Duration::from_millis(550)).await;
        let asked = Instant::now();
        world.sync_call(&member, &other, "ok", wait).await.expect("an answer");
        Instant::now() - asked
    };
    let (answers, took) = tokio::join!(futures::future::join_all(waiting), one);
    assert!(answers.iter().all(Result::is_ok));
    // The rest of the turn that goes on: a quantum of 8 in 4 slots.
    assert!(took <= RUN * 3, "{took:?}");
}
