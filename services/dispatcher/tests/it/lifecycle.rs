use crate::world::World;
use eventflow_domain::ports::{ConfigData, ConfigKind, Live, Topic};
use eventflow_domain::spec::{EnvFrom, RecordPolicy};
use eventflow_domain::{Body, Reason, RuntimeKind, State};
use futures::StreamExt as _;
use std::time::Duration;

#[tokio::test]
async fn an_accepted_call_runs_once_and_its_record_says_all() {
    let world = World::new().await;
    let function = world.apply("hello", |_| ()).await;
    let id = world.accept(&function, "print hi; ok done").await;
    let record = world.ended(id).await;
    assert_eq!(record.state(), State::Succeeded);
    assert_eq!(record.result.body, Body::Inline("done".into()));
    assert_eq!(record.attempts.len(), 1);
    assert_eq!(record.attempts[0].exit_code, Some(0));
    let lines = world.ports.store.log_read(id, None, 10).await.expect("lines");
    assert_eq!(lines.iter().map(|line| &*line.text).collect::<Vec<_>>(), ["hi"]);
    world.until("slot and lease come free", |world| world.dispatcher.status().running == 0).await;
    assert_eq!(world.ports.bus.depth(&function.key).await.expect("depth"), Some(0));
    assert_eq!(world.runtime.starts(), 1);
}

#[tokio::test]
async fn a_waiting_call_is_cancelled_at_once_and_never_starts() {
    let world = World::with(|config| config.slots = 1).await;
    let function = world.apply("busy", |_| ()).await;
    let first = world.accept(&function, "sleep 300; ok").await;
    world.reaches(first, |state| state == State::Running).await;
    let second = world.accept(&function, "ok").await;
    let record = world.ports.store.cancel(second).await.expect("cancelled");
    assert_eq!(record.state(), State::Cancelled);
    world.ended(first).await;
    world.until("idle", |world| world.dispatcher.status().running == 0).await;
    assert_eq!(world.runtime.starts(), 1);
}

#[tokio::test]
async fn a_running_call_is_cancelled_by_the_bus_without_waiting_for_its_lease() {
    let world = World::with(|config| config.lease = Duration::from_secs(60)).await;
    let function = world.apply("hang", |_| ()).await;
    let id = world.accept(&function, "hang").await;
    world.until("it runs", |world| world.runtime.running() == 1).await;
    world.ports.store.cancel(id).await.expect("wish stored");
    world.ports.bus.announce(Live::CancelRequested { invocation: id });
    let record = world.ended(id).await;
    assert_eq!((record.state(), record.failure.expect("why").reason), (State::Cancelled, Reason::Cancelled));
    assert_eq!(world.runtime.running(), 0, "user code was ended");
}

#[tokio::test]
async fn a_cancel_wish_that_the_bus_lost_comes_with_the_renewal() {
    let world = World::new().await;
    let function = world.apply("hang", |_| ()).await;
    let id = world.accept(&function, "hang").await;
    world.until("it runs", |world| world.runtime.running() == 1).await;
    world.ports.store.cancel(id).await.expect("wish stored");
    assert_eq!(world.ended(id).await.state(), State::Cancelled);
}

#[tokio::test]
async fn a_paused_function_holds_its_calls_until_it_is_resumed() {
    let world = World::new().await;
    let function = world.apply("rest", |_| ()).await;
    world.ports.registry.set_paused(&function.key, true).await.expect("paused");
    let id = world.accept(&function, "ok").await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(world.runtime.starts(), 0);
    world.ports.registry.set_paused(&function.key, false).await.expect("resumed");
    assert_eq!(world.ended(id).await.state(), State::Succeeded);
}

#[tokio::test]
async fn a_deleted_function_takes_its_waiting_and_running_calls_along() {
    let world = World::new().await;
    let function = world.apply("gone", |spec| spec.concurrency = Some(1)).await;
    let running = world.accept(&function, "hang").await;
    world.until("it runs", |world| world.runtime.running() == 1).await;
    let waiting = world.accept_all(&function, "ok", 20).await;
    world.ports.registry.delete(&function.key, None).await.expect("deleted");
    for id in waiting {
        let record = world.ended(id).await;
        assert_eq!(record.state(), State::Cancelled);
    }
    let record = world.ended(running).await;
    assert_eq!(
        (record.state(), record.failure.expect("why").reason),
        (State::Cancelled, Reason::FunctionDeleted)
    );
    assert_eq!(world.runtime.starts(), 1);
    let uid = function.uid;
    world.until("its code is let go", |world| world.runtime.0.lock().retired.contains(&(uid, None))).await;
}

#[tokio::test]
async fn the_environment_comes_from_secrets_and_configs_and_a_missing_one_is_named() {
    let world = World::new().await;
    let from = vec![EnvFrom::SecretRef("keys".parse().expect("a name"))];
    let function = world
        .apply("env", |spec| {
            spec.env_from = from;
            spec.env.insert("B".parse().expect("a name"), "declared".into());
        })
        .await;
    let failed = world.accept(&function, "ok").await;
    let failure = world.ended(failed).await.failure.expect("why");
    assert_eq!(failure.reason, Reason::ConfigNotFound);
    assert!(failure.message.contains("secret keys"), "{}", failure.message);
    let data = [("A", "secret"), ("B", "hidden")].map(|(k, v)| (k.parse().expect("a name"), v.to_owned()));
    let name = "keys".parse().expect("a name");
    let data = ConfigData(data.into_iter().collect());
    world
        .ports
        .store
        .config_put(ConfigKind::Secret, &function.key.namespace, &name, data)
        .await
        .expect("put");
    let id = world.accept(&function, "ok").await;
    assert_eq!(world.ended(id).await.state(), State::Succeeded);
    let env = world.runtime.0.lock().env.clone();
    assert_eq!(env, [("A", "secret"), ("B", "declared")].map(|(k, v)| (k.to_owned(), v.to_owned())));
}

#[tokio::test]
async fn a_function_whose_runtime_is_not_here_says_so() {
    let world = World::new().await;
    let function = world.apply("wasm", |spec| spec.runtime = RuntimeKind::Wasm).await;
    let id = world.accept(&function, "ok").await;
    assert_eq!(world.ended(id).await.failure.expect("why").reason, Reason::RuntimeUnavailable);
    let key = function.key.clone();
    world
        .until("its condition says so", |world| {
            let function = world.ports.registry.get(&key).expect("there");
            function.readiness.condition("Ready").is_some_and(|ready| ready.reason == "RuntimeUnavailable")
        })
        .await;
}

#[tokio::test]
async fn a_record_of_metadata_keeps_neither_payload_nor_result() {
    let world = World::new().await;
    let function = world.apply("quiet", |spec| spec.record = RecordPolicy::Metadata).await;
    let id = world.accept(&function, "ok secret").await;
    let record = world.ended(id).await;
    assert_eq!((record.payload.body, record.result.body, record.result.size), (Body::None, Body::None, 6));
}

#[tokio::test]
async fn changes_are_told_live() {
    let world = World::new().await;
    let function = world.apply("told", |_| ()).await;
    let mut changes = world.ports.bus.listen(Topic::Changes);
    let id = world.accept(&function, "ok").await;
    let mut states = Vec::new();
    while states.last() != Some(&State::Succeeded) {
        if let Some(Live::Changed { invocation, state, .. }) = changes.next().await {
            assert_eq!(invocation, id);
            states.push(state);
        }
    }
    assert_eq!(states, [State::Running, State::Succeeded]);
}
