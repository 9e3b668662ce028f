use crate::world::World;
use eventflow_domain::ports::Invoker as _;
use eventflow_domain::{Body, Function, Reason, Source, State};
use futures::{StreamExt as _, TryStreamExt as _};
use std::sync::Arc;

async fn web(world: &World) -> Arc<Function> {
    world
        .apply("web", |spec| {
            spec.mode = eventflow_domain::Mode::Http;
            spec.port = Some(80);
        })
        .await
}

#[tokio::test]
async fn a_request_to_the_url_streams_through_and_is_recorded_at_its_end() {
    let world = World::new().await;
    let function = web(&world).await;
    let call = World::proxy_call(&function);
    let id = call.id;
    let response = world.dispatcher.proxy(call, World::request("ok hello")).await.expect("an answer");
    assert_eq!(response.status, 200);
    assert_eq!(world.dispatcher.status().running, 1, "the slot is held while the body streams");
    let body: Vec<_> = response.body.try_collect().await.expect("a body");
    assert_eq!(body.concat(), b"hello");
    let record = world.ended(id).await;
    assert_eq!(
        (record.state(), record.source, record.http_status),
        (State::Succeeded, Source::Url, Some(200))
    );
    assert_eq!((record.result.body, record.result.size), (Body::None, 5));
    assert_eq!(world.dispatcher.status().running, 0);
}

#[tokio::test]
async fn a_caller_that_drops_the_answer_is_recorded_as_cancelled() {
    let world = World::new().await;
    let function = web(&world).await;
    let call = World::proxy_call(&function);
    let id = call.id;
    drop(world.dispatcher.proxy(call, World::request("ok hello")).await.expect("an answer"));
    assert_eq!(world.ended(id).await.state(), State::Cancelled);
    assert_eq!(world.dispatcher.status().running, 0);
}

#[tokio::test]
async fn no_answer_is_an_error_with_the_id_and_a_record() {
    let world = World::new().await;
    let function = web(&world).await;
    let call = World::proxy_call(&function);
    let id = call.id;
    let error = world.dispatcher.proxy(call, World::request("fail")).await.expect_err("no answer");
    assert_eq!((error.reason(), &error.metadata()["invocationId"]), ("FunctionFailed", &id.to_string()));
    assert_eq!(world.ended(id).await.failure.expect("why").reason, Reason::ExitCode);
}

#[tokio::test]
async fn a_server_that_stops_reading_at_the_content_length_has_read_all() {
    let world = World::new().await;
    let function = web(&world).await;
    let call = World::proxy_call(&function);
    let id = call.id;
    let mut response = world.dispatcher.proxy(call, World::request("ok hello")).await.expect("an answer");
    response.body.next().await.expect("a chunk").expect("whole");
    drop(response);
    assert_eq!(world.ended(id).await.state(), State::Succeeded);
}
