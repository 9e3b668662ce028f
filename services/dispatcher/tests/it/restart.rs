use crate::world::World;
use eventflow_domain::ports::InvocationFilter;
use eventflow_domain::{Reason, State};
use std::time::Duration;

/// A process that dies takes its tasks along: a tokio runtime of its own, dropped in the middle.
fn process() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_accepted_call_ends_once_although_dispatchers_die() {
    let world = World::new().await;
    let function = world.apply("survive", |spec| spec.concurrency = Some(20)).await;
    world.shutdown_only_dispatcher().await;
    let mut ids = Vec::new();
    for round in 0..4 {
        let process = process();
        let living = {
            let _inside = process.enter();
            world.again()
        };
        ids.extend(living.accept_all(&function, "sleep 20; ok", 100).await);
        tokio::time::sleep(Duration::from_millis(40 + 20 * round)).await;
        process.shutdown_background();
    }
    let last = world.again();
    for id in &ids {
        let record = last.ended(*id).await;
        assert_eq!(record.state(), State::Succeeded);
        let lost = record
            .attempts
            .iter()
            .filter(|attempt| attempt.failure.as_ref().is_some_and(|failure| failure.reason == Reason::Lost));
        assert_eq!(lost.count() + 1, record.attempts.len(), "every extra start has a cause");
    }
    let all = InvocationFilter::default();
    assert_eq!(last.ports.store.count(&all).await.expect("counted"), ids.len() as u64);
}

#[tokio::test]
async fn a_shutdown_gives_back_what_does_not_end_in_time() {
    let world = World::with(|config| config.grace = Duration::from_millis(100)).await;
    let function = world.apply("long", |_| ()).await;
    let id = world.accept(&function, "hang").await;
    world.until("it runs", |world| world.runtime.running() == 1).await;
    let store = world.ports.store.clone();
    world.shutdown().await;
    let record = store.get(id).await.expect("read").expect("there");
    assert_eq!((record.state(), record.lifecycle.lost), (State::Queued, 1));
}

#[tokio::test]
async fn a_wiped_bus_loses_nothing() {
    let world = World::with(|config| config.slots = 1).await;
    let function = world.apply("wiped", |_| ()).await;
    world.ports.registry.set_paused(&function.key, true).await.expect("paused");
    let ids = world.accept_all(&function, "ok", 50).await;
    world.shutdown_only_dispatcher().await;
    let next = world.again();
    next.ports.registry.set_paused(&function.key, false).await.expect("resumed");
    for id in ids {
        assert_eq!(next.ended(id).await.state(), State::Succeeded);
    }
    assert_eq!(next.runtime.starts(), 50);
}
