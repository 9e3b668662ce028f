use super::world::{Member, World};
use eventflow_domain::ports::{Clock as _, SyncAnswer};
use eventflow_domain::{Function, InvocationId, State, Timestamp};
use futures::future::join_all;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a grant lasts without a renewal.
const LEASE: Duration = Duration::from_secs(10);

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

async fn bounded(world: &World, concurrency: u32) -> Arc<Function> {
    world.apply("bounded", |spec| spec.concurrency = Some(concurrency)).await
}

async fn flood(world: &World, function: &Function, script: &str, calls: usize) -> Vec<InvocationId> {
    let mut ids = Vec::new();
    for _ in 0..calls {
        ids.push(world.accept(function, script, Duration::ZERO).await);
    }
    ids
}

/// Whether so many sync calls at once were all answered.
async fn called(
    world: &World,
    member: &Member,
    function: &Arc<Function>,
    script: &str,
    calls: usize,
) -> bool {
    let one = async || world.sync_call(member, function, script, s(600)).await;
    let answers = join_all((0..calls).map(|_| one())).await;
    answers.iter().all(|answer| matches!(answer, Ok(SyncAnswer::Finished { .. })))
}

/// Runs that a member began since then.
fn begun(world: &World, ids: &[InvocationId], member: &Member, since: Timestamp) -> usize {
    let worker = member.dispatcher.worker();
    let attempts = ids.iter().flat_map(|id| world.record(*id).attempts);
    attempts.filter(|attempt| attempt.worker == *worker && attempt.started_at >= since).count()
}

#[tokio::test(start_paused = true)]
async fn two_dispatchers_run_never_more_than_the_bound_of_a_function_and_all_of_its_calls() {
    let world = World::sharing().await;
    let (one, other) = (world.joins(), world.joins());
    let function = bounded(&world, 3).await;
    let mut ids = flood(&world, &function, "sleep 100", 60).await;
    let accepts = async {
        for _ in 0..20 {
            ids.push(world.accept(&function, "sleep 100", Duration::ZERO).await);
            tokio::time::sleep(ms(37)).await;
        }
    };
    let sync = |member| called(&world, member, &function, "sleep 100", 20);
    let (first, second, ()) = tokio::join!(sync(&one), sync(&other), accepts);
    assert!(first && second);
    for id in &ids {
        assert_eq!(world.ended(*id).await.state(), State::Succeeded);
    }
    assert_eq!(world.most(), 3);
    // 120 runs of 100 ms, three at a time, take 4 s.
    assert!(world.elapsed() < s(5), "{:?}", world.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_slots_of_a_dispatcher_that_is_killed_come_back_when_their_lease_is_over() {
    let world = World::sharing().await;
    let (one, other) = (world.joins(), world.joins());
    let function = bounded(&world, 3).await;
    let running = (0..3).map(|_| world.sync_call(&one, &function, "hang", ms(500)));
    assert!(join_all(running).await.iter().all(|answer| matches!(answer, Ok(SyncAnswer::Accepted(_)))));
    tokio::time::sleep(s(5)).await;
    let killed = Instant::now();
    one.hang().await;
    assert!(called(&world, &other, &function, "sleep 100", 3).await);
    let took = Instant::now() - killed;
    assert!((LEASE * 2 / 3..LEASE + ms(500)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn who_comes_late_gets_a_fair_share_soon() {
    for (run, bound) in [("sleep 100", 10), ("sleep 900", 10), ("sleep 100", 2)] {
        let world = World::sharing().await;
        let one = world.joins();
        let function = bounded(&world, bound).await;
        let ids = flood(&world, &function, run, 4000).await;
        tokio::time::sleep(s(5)).await;
        let (early, other) = (world.clock.now(), world.joins());
        tokio::time::sleep(s(8)).await;
        let late = world.clock.now();
        tokio::time::sleep(s(30)).await;
        let shares = [begun(&world, &ids, &one, late), begun(&world, &ids, &other, late)];
        let all = shares[0] + shares[1];
        assert!(
            shares.iter().all(|share| (all * 4 / 10..=all * 6 / 10).contains(share)),
            "{run}: {shares:?}"
        );
        assert_eq!(world.most(), bound as usize);
        let span = world.clock.now().since(early).as_millis() as usize;
        let possible = span * bound as usize / run[6..].parse::<usize>().expect("a number");
        let done = begun(&world, &ids, &one, early) + begun(&world, &ids, &other, early);
        assert!(done * 100 >= possible * 85, "{run}: {done} of {possible}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_dispatcher_alone_loses_hardly_anything_by_asking() {
    let world = World::sharing().await;
    let _alone = world.joins();
    let function = bounded(&world, 10).await;
    let ids = flood(&world, &function, "sleep 100", 3000).await;
    for id in &ids {
        world.ended(*id).await;
    }
    // 3000 runs of 100 ms, ten at a time, take 30 s, after the relay's first look.
    assert!(world.elapsed() < ms(31_500), "{:?}", world.elapsed());
    assert!(world.store.slots_asked() < 60, "{} questions", world.store.slots_asked());
}

#[tokio::test(start_paused = true)]
async fn without_the_record_nothing_starts_beyond_what_was_granted_and_nothing_at_all_after_the_lease() {
    let world = World::sharing().await;
    let (one, other) = (world.joins(), world.joins());
    let function = bounded(&world, 4).await;
    // Short enough to need no record while they run.
    let crowd = |member, calls| called(&world, member, &function, "sleep 90", calls);
    let outage = async {
        for member in [&one, &other] {
            assert!(crowd(member, 1).await);
        }
        one.cut_off();
        other.cut_off();
        let away = Instant::now();
        let back = async {
            tokio::time::sleep(s(40)).await;
            let starts = world.starts();
            let after = |from: Duration, to: Duration| {
                starts.iter().filter(|start| (from..to).contains(&(start.at - away))).count()
            };
            assert_eq!(world.most(), 2, "no more than was granted");
            assert!(after(s(0), s(6)) > 120, "all that was granted: {}", after(s(0), s(6)));
            assert_eq!(after(LEASE, s(40)), 0);
            one.comes_back();
            other.comes_back();
        };
        tokio::join!(crowd(&one, 500), crowd(&other, 500), back)
    };
    let (first, second, ()) = outage.await;
    assert!(first && second);
    assert_eq!(world.most(), 4, "it heals, within the bound");
    assert!(world.elapsed() < s(65), "{:?}", world.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_record_that_answers_nobody_is_as_one_that_is_away() {
    let world = World::sharing().await;
    let one = world.joins();
    let function = bounded(&world, 2).await;
    let crowd = called(&world, &one, &function, "sleep 1000", 40);
    let outage = async {
        tokio::time::sleep(s(3)).await;
        one.hang().await;
        tokio::time::sleep(LEASE + ms(1100)).await;
        assert_eq!(world.running(), 0);
        let before = world.starts().len();
        tokio::time::sleep(s(60)).await;
        assert_eq!(world.starts().len(), before);
        one.comes_back();
    };
    assert!(tokio::join!(crowd, outage).0);
    assert_eq!(world.most(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_bound_that_is_lowered_by_an_apply_holds_as_soon_as_runs_have_ended() {
    let world = World::sharing().await;
    let (_one, _other) = (world.joins(), world.joins());
    let ids = flood(&world, &*bounded(&world, 8).await, "sleep 500", 300).await;
    tokio::time::sleep(s(5)).await;
    assert_eq!((world.running(), world.most()), (8, 8));
    let function = bounded(&world, 2).await;
    tokio::time::sleep(s(2)).await;
    for _ in 0..200 {
        assert!(world.running() <= 2, "{} run", world.running());
        tokio::time::sleep(ms(37)).await;
    }
    assert_eq!(world.store.slots_granted(function.uid), 2);
    bounded(&world, 8).await;
    for id in ids {
        assert_eq!(world.ended(id).await.state(), State::Succeeded);
    }
    assert_eq!(world.most(), 8);
    assert!(world.elapsed() < s(33), "{:?}", world.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_dispatcher_without_work_holds_nothing_and_asks_nothing() {
    let world = World::sharing().await;
    let (one, other) = (world.joins(), world.joins());
    let function = bounded(&world, 1).await;
    assert!(called(&world, &one, &function, "ok", 1).await);
    assert!(world.elapsed() < ms(10), "the first waits for one answer of the record: {:?}", world.elapsed());
    assert!(called(&world, &other, &function, "ok", 1).await);
    assert!(world.elapsed() < s(1), "the one waits until the other lets go: {:?}", world.elapsed());
    tokio::time::sleep(s(1)).await;
    assert_eq!(world.store.slots_granted(function.uid), 0);
    let asked = world.store.slots_asked();
    tokio::time::sleep(s(3600)).await;
    assert_eq!(world.store.slots_asked(), asked);
}

#[tokio::test(start_paused = true)]
async fn a_dispatcher_that_stops_gives_its_slots_back_at_once() {
    let world = World::sharing().await;
    let one = world.joins();
    let function = bounded(&world, 3).await;
    assert!(called(&world, &one, &function, "ok", 3).await);
    assert_eq!(world.store.slots_granted(function.uid), 3);
    one.dispatcher.shutdown(s(1)).await;
    assert_eq!(world.store.slots_granted(function.uid), 0);
}

#[tokio::test(start_paused = true)]
async fn many_functions_that_lack_slots_are_asked_for_together() {
    let world = World::sharing().await;
    let one = world.joins();
    let mut functions = Vec::new();
    for n in 0..100 {
        functions.push(world.apply(&format!("f{n}"), |_| ()).await);
    }
    let begun = Instant::now();
    let calls = functions.iter().zip(0..).map(async |(function, n)| {
        tokio::time::sleep(ms(10 * n)).await;
        called(&world, &one, function, "sleep 50", 1).await
    });
    assert!(join_all(calls).await.iter().all(|answered| *answered));
    let took = Instant::now() - begun;
    assert!(took < ms(1150), "{took:?}");
    // One in 50 ms and four at once.
    assert!(world.store.slots_asked() <= 27, "{} questions in {took:?}", world.store.slots_asked());
}
