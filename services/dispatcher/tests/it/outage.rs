use crate::world::World;
use eventflow_domain::ports::{InvocationFilter, SyncAnswer};
use eventflow_domain::{ErrorKind, State};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_result_survives_a_store_that_is_down_when_it_comes() {
    let world = World::with(|config| config.lease = LONG).await;
    let function = world.apply("patient", |_| ()).await;
    let id = world.accept(&function, "print a line; sleep 100; ok kept").await;
    world.until("it runs", |world| world.runtime.running() == 1).await;
    world.store.set_down(true);
    world.until("the run has ended", |world| world.runtime.running() == 0).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    world.store.set_down(false);
    let record = world.ended(id).await;
    assert_eq!((record.state(), record.attempts.len()), (State::Succeeded, 1));
    assert_eq!(world.runtime.starts(), 1);
    for _ in 0..200 {
        if world.ports.store.log_read(id, None, 9).await.expect("lines").len() == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the line was lost");
}

#[tokio::test]
async fn sync_calls_go_on_without_the_store_until_the_buffer_is_full_and_none_is_lost() {
    let world = World::with(|config| config.record_buffer = 20).await;
    let function = world.apply("buffered", |_| ()).await;
    world.store.set_down(true);
    for _ in 0..20 {
        let answer = world.call(World::sync_call(&function, "ok", LONG)).await.expect("an answer");
        assert!(matches!(answer, SyncAnswer::Finished { .. }));
    }
    let refused = world.call(World::sync_call(&function, "ok", LONG)).await.expect_err("full");
    assert_eq!((refused.kind(), refused.reason()), (ErrorKind::Exhausted, "RecorderFull"));
    assert!(refused.retry_after().is_some());
    assert_eq!(world.runtime.starts(), 20, "what is refused does not run");
    world.store.set_down(false);
    for _ in 0..500 {
        if world.ports.store.count(&InvocationFilter::default()).await.expect("counted") == 20 {
            world.call(World::sync_call(&function, "ok", LONG)).await.expect("room again");
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("records were lost");
}

#[tokio::test]
async fn no_wait_ends_with_accepted_while_the_store_is_down() {
    let world = World::new().await;
    let function = world.apply("honest", |_| ()).await;
    world.store.set_down(true);
    let call = World::sync_call(&function, "sleep 300; ok", Duration::from_millis(150));
    let id = call.id;
    let answer = world.call(call).await;
    assert!(!matches!(answer, Ok(SyncAnswer::Accepted(_))), "a fake accept: {answer:?}");
    world.store.set_down(false);
    assert_eq!(world.ended(id).await.state(), State::Succeeded);
    let keyed = world.keyed_call(&function, "ok", LONG, "k");
    world.store.set_down(true);
    assert_eq!(world.call(keyed).await.expect_err("not accepted").kind(), ErrorKind::Unavailable);
    assert_eq!(world.runtime.starts(), 1, "nothing with a key runs before it is accepted");
}

#[tokio::test]
async fn queued_work_waits_for_the_store_and_then_runs_once() {
    let world = World::new().await;
    let function = world.apply("later", |_| ()).await;
    world.ports.registry.set_paused(&function.key, true).await.expect("paused");
    let ids = world.accept_all(&function, "ok", 20).await;
    world.ports.registry.set_paused(&function.key, false).await.expect("resumed");
    world.store.set_down(true);
    tokio::time::sleep(Duration::from_millis(200)).await;
    world.store.set_down(false);
    for id in ids {
        assert_eq!(world.ended(id).await.state(), State::Succeeded);
    }
    assert_eq!(world.runtime.starts(), 20);
}
