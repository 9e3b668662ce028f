use crate::world::World;
use eventflow_domain::{Body, Reason, State};
use std::time::Duration;

#[tokio::test]
async fn the_concurrency_of_a_function_is_never_exceeded_by_queued_and_sync_calls_together() {
    let world = World::new().await;
    let function = world.apply("narrow", |spec| spec.concurrency = Some(3)).await;
    let queued = world.accept_all(&function, "sleep 5; ok", 60).await;
    let calls =
        (0..30).map(|_| world.call(World::sync_call(&function, "sleep 5; ok", Duration::from_secs(20))));
    for answer in futures::future::join_all(calls).await {
        answer.expect("an answer");
    }
    for id in queued {
        assert_eq!(world.ended(id).await.state(), State::Succeeded);
    }
    assert_eq!(world.runtime.0.lock().most[&function.key], 3);
    assert_eq!(world.runtime.starts(), 90);
}

#[tokio::test]
async fn it_is_never_exceeded_by_two_processes_together() {
    let worlds = World::two().await;
    let function = worlds[0].apply("shared", |spec| spec.concurrency = Some(3)).await;
    let queued = worlds[0].accept_all(&function, "sleep 5; ok", 100).await;
    let wait = Duration::from_secs(20);
    let calls = (0..60).map(|n| worlds[n % 2].call(World::sync_call(&function, "sleep 5; ok", wait)));
    for answer in futures::future::join_all(calls).await {
        answer.expect("an answer");
    }
    for id in queued {
        assert_eq!(worlds[0].ended(id).await.state(), State::Succeeded);
    }
    assert_eq!(worlds[0].runtime.0.lock().most[&function.key], 3);
    assert_eq!(worlds[0].runtime.starts(), 160);
}

#[tokio::test]
async fn a_flood_of_one_function_hardly_delays_another() {
    let world = World::with(|config| config.slots = 4).await;
    let (flood, other) = (world.apply("flood", |_| ()).await, world.apply("other", |_| ()).await);
    world.accept_all(&flood, "sleep 2; ok", 10_000).await;
    world.until("the flood runs", |world| world.runtime.starts() > 100).await;
    let before = world.runtime.starts();
    let id = world.accept(&other, "ok").await;
    world.ended(id).await;
    let starts = world.runtime.0.lock().starts.clone();
    let at = starts.iter().position(|(started, ..)| *started == id).expect("started");
    assert!(at - before < 200, "started {} calls after it came", at - before);
}

#[tokio::test]
async fn large_results_go_to_the_blob_store_and_too_large_ones_are_refused() {
    let world = World::with(|config| {
        config.limits.inline = 100;
        config.limits.payload = 1000;
    })
    .await;
    let function = world.apply("large", |_| ()).await;
    let id = world.accept(&function, "big 1000").await;
    let record = world.ended(id).await;
    let Body::Blob(key) = &record.result.body else { panic!("{:?}", record.result) };
    let (size, _) = world.ports.blobs.get(key).await.expect("stored");
    assert_eq!((size, record.result.size), (1000, 1000));
    let id = world.accept(&function, "big 1001").await;
    assert_eq!(world.ended(id).await.failure.expect("why").reason, Reason::ResultTooLarge);
}

#[tokio::test]
async fn a_call_that_waited_too_long_expires_instead_of_running() {
    let world = World::new().await;
    let function = world
        .apply("old", |spec| {
            spec.queue.max_age = Duration::from_millis(150);
            spec.concurrency = Some(1);
        })
        .await;
    let first = world.accept(&function, "sleep 500; ok").await;
    world.reaches(first, |state| state == State::Running).await;
    let second = world.accept(&function, "ok").await;
    assert_eq!(world.ended(second).await.failure.expect("why").reason, Reason::Expired);
    assert_eq!(world.ended(first).await.state(), State::Succeeded);
    assert_eq!(world.runtime.starts(), 1);
}

#[tokio::test]
async fn a_runtime_that_ignores_the_timeout_is_given_up() {
    let world = World::with(|config| config.backstop = Duration::from_millis(20)).await;
    let function = world
        .apply("deaf", |spec| {
            (spec.timeout, spec.start_deadline) = (Duration::from_millis(30), Duration::ZERO);
        })
        .await;
    let id = world.accept(&function, "hang").await;
    assert_eq!(world.ended(id).await.failure.expect("why").reason, Reason::Timeout);
    assert_eq!(world.runtime.running(), 0);
}
