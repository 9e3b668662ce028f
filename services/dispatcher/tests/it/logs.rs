use crate::world::World;
use eventflow_domain::State;
use eventflow_domain::logs::Stream;
use eventflow_domain::ports::{Live, Topic};
use futures::StreamExt as _;

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
