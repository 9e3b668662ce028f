use crate::world::World;
use eventflow_domain::State;
use eventflow_domain::logs::Stream;
use eventflow_domain::ports::{Live, Topic};
use futures::StreamExt as _;
use std::time::Duration;

#[tokio::test]
async fn a_flood_of_output_is_cut_at_the_cap_with_a_marker() {
    let world = World::with(|config| config.limits.logs = 10_000).await;
    let function = world.apply("loud", |_| ()).await;
    let id = world.accept(&function, "flood 100000; ok").await;
    let record = world.ended(id).await;
    assert_eq!(record.state(), State::Succeeded);
    assert!(record.logs_truncated);
    let lines = world.ports.store.log_read(id, None, 1000).await.expect("lines");
    let last = lines.last().expect("a line");
    assert_eq!((last.stream, last.position.seq as usize), (Stream::System, lines.len()));
    assert!(lines.len() > 80 && lines.len() < 100, "{}", lines.len());
}

#[tokio::test]
async fn lines_are_readable_and_told_while_the_call_runs() {
    let world = World::new().await;
    let function = world.apply("slow", |_| ()).await;
    let mut live = world.ports.bus.listen(Topic::Function(function.key.clone()));
    let id = world.accept(&function, "print first; sleep 400; print second; ok").await;
    let told = loop {
        if let Some(Live::LogLines { lines, .. }) = live.next().await {
            break lines;
        }
    };
    assert_eq!((told[0].invocation, &*told[0].line.text), (Some(id), "first"));
    assert_eq!(world.ports.store.log_read(id, None, 9).await.expect("lines").len(), 1);
    world.ended(id).await;
    assert_eq!(world.ports.store.log_read(id, None, 9).await.expect("lines").len(), 2);
}

#[tokio::test]
async fn the_lines_of_a_sync_call_are_readable_when_its_record_is() {
    let world = World::with(|config| config.log_flush = Duration::from_secs(60)).await;
    let function = world.apply("sync", |_| ()).await;
    let call = World::sync_call(&function, "print hi; ok done", Duration::from_secs(10));
    let id = call.id;
    world.call(call).await.expect("an answer");
    world.ended(id).await;
    let lines = world.ports.store.log_read(id, None, 9).await.expect("lines");
    assert_eq!(lines.iter().map(|line| &*line.text).collect::<Vec<_>>(), ["hi"]);
}

/// The run ends while the store still takes its time over the accept.
#[tokio::test]
async fn the_lines_of_a_sync_call_that_ended_before_its_accept_are_readable_when_its_record_is() {
    let world = World::with(|config| {
        config.log_flush = Duration::from_secs(60);
        config.record_start_after = Duration::from_millis(20);
    })
    .await;
    let function = world.apply("early", |_| ()).await;
    let call = World::sync_call(&function, "print hi; sleep 150; ok done", Duration::from_secs(10));
    let id = call.id;
    let outage = async {
        world.until("it runs", |world| world.runtime.running() == 1).await;
        world.store.set_down(true);
    };
    let (answer, ()) = tokio::join!(world.call(call), outage);
    answer.expect("an answer");
    world.store.set_down(false);
    world.ended(id).await;
    let lines = world.ports.store.log_read(id, None, 9).await.expect("lines");
    assert_eq!(lines.iter().map(|line| &*line.text).collect::<Vec<_>>(), ["hi"]);
}
