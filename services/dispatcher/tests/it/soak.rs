use crate::world::World;
use eventflow_domain::ports::InvocationFilter;
use eventflow_domain::{Function, State};
use futures::StreamExt as _;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::sync::Arc;
use std::time::Duration;

const SCRIPTS: [&str; 6] = ["ok", "sleep 5; ok", "fail", "fail-until 2; ok", "print x; ok", "sleep 130; ok"];

/// One random call; whether it must have a record.
async fn one(world: &World, functions: &[Arc<Function>], seed: u64) -> bool {
    let mut random = StdRng::seed_from_u64(seed);
    let function = &functions[random.random_range(0..functions.len())];
    let script = SCRIPTS[random.random_range(0..SCRIPTS.len())];
    let wait = Duration::from_millis(random.random_range(0..200));
    match random.random_range(0..5) {
        0 | 1 => drop(world.accept(function, script).await),
        2 => {
            let id = world.accept(function, script).await;
            tokio::time::sleep(Duration::from_millis(random.random_range(0..10))).await;
            drop(world.ports.store.cancel(id).await);
        }
        3 => return world.call(World::sync_call(function, script, wait)).await.is_ok(),
        _ => {
            return world
                .call(world.keyed_call(function, script, wait, &format!("key {seed}")))
                .await
                .is_ok();
        }
    }
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn accepted_is_ended_and_every_start_is_in_a_record() {
    let world = World::with(|config| config.slots = 12).await;
    let mut functions = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let function = world.apply(name, |spec| {
            spec.concurrency = Some(5);
            spec.retry.max_attempts = 3;
            spec.retry.backoff.initial = Duration::from_millis(5);
        });
        functions.push(function.await);
    }
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let calls = (0..600).map(|n| one(&world, &functions, seed.wrapping_add(n)));
    let recorded =
        futures::stream::iter(calls).buffer_unordered(60).filter(|has| std::future::ready(*has)).count();
    let recorded = recorded.await as u64;
    let live = InvocationFilter {
        states: vec![State::Queued, State::Running, State::Retrying],
        ..InvocationFilter::default()
    };
    let store = &world.ports.store;
    world.until("idle", |world| world.dispatcher.status().running == 0).await;
    for _ in 0..1000 {
        let ended = store.count(&InvocationFilter::default()).await.expect("counted") >= recorded;
        if ended && store.count(&live).await.expect("counted") == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let page = store.list(&InvocationFilter::default(), None, 1000).await.expect("a page");
    assert_eq!(page.invocations.len() as u64, recorded);
    let mut attempts = 0;
    for listed in page.invocations {
        let record = store.get(listed.id).await.expect("read").expect("there");
        assert!(record.state().is_terminal(), "{record:?}");
        assert!(record.attempts.iter().all(|attempt| attempt.ended_at.is_some()), "{record:?}");
        attempts += record.attempts.len();
    }
    let ledger = world.runtime.0.lock();
    // A cancel may come between the claim and the start of user code.
    assert!(ledger.starts.len() <= attempts, "{} starts, {attempts} attempts", ledger.starts.len());
    assert!(ledger.most.values().all(|most| *most <= 5), "{:?}", ledger.most);
}
