//! Calls whose caller waits.

use crate::world::{World, nobody, on_call};
use eventflow_auth::Key;
use eventflow_domain::invocation::{Body, Invocation, Stored};
use eventflow_domain::lifecycle::Lifecycle;
use eventflow_domain::ports::{IdempotencyKey, Invoker as _, SyncAnswer, SyncCall};
use eventflow_domain::{Bytes, Epoch, Error, ErrorKind, InvocationId, State, Timestamp, VersionNumber};
use eventflow_proto::internal::GetLoadRequest;
use eventflow_proto::internal::dispatcher_service_client::DispatcherServiceClient;
use futures::FutureExt as _;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn record(call: &SyncCall, state: State) -> Box<Invocation> {
    let now = Timestamp::from_millis(1_700_000_000_000);
    Box::new(Invocation {
        id: call.id,
        function: call.function.key.clone(),
        function_uid: call.function.uid,
        version: call.version,
        lifecycle: Lifecycle {
            state,
            epoch: Epoch(1),
            attempts: 1,
            lost: 0,
            not_before: now,
            cancel_requested: false,
            dead_letter: false,
        },
        source: call.source,
        caller: Arc::clone(&call.caller),
        replay_of: call.replay_of,
        trace: call.trace,
        payload: call.payload.clone(),
        result: Stored { body: Body::None, size: 3, content_type: Some("text/plain".into()) },
        http_status: None,
        failure: None,
        created_at: now,
        started_at: Some(now),
        ended_at: state.is_terminal().then_some(now),
        attempts: Vec::new(),
        logs_truncated: false,
        start: None,
    })
}

fn finished(call: &SyncCall, body: impl Into<Bytes>) -> SyncAnswer {
    SyncAnswer::Finished { invocation: record(call, State::Succeeded), body: body.into() }
}

#[tokio::test]
async fn a_call_arrives_whole_and_its_answer_comes_back_whole() {
    let mut world = World::new().await;
    let seen = Arc::new(Mutex::new(None));
    let there = Arc::clone(&seen);
    let dispatcher = on_call(move |call| {
        *there.lock().expect("not poisoned") = Some(call.clone());
        async move { Ok(finished(&call, "out")) }.boxed()
    });
    let served = world.serve(dispatcher).await;
    let mut call = world.call("in");
    call.version = VersionNumber(7);
    call.replay_of = Some(InvocationId::generate());
    call.headers.insert("x-blob", http::HeaderValue::from_bytes(b"caf\xe9").expect("a value"));
    call.idempotency = Some(IdempotencyKey {
        scope: "default/f/alice/k".into(),
        payload_hash: [9; 32],
        expires_at: Timestamp::from_millis(1_800_000_000_000),
    });

    let answer = world.client(&[&served.peer]).call(call.clone()).await.expect("answered");

    let there = seen.lock().expect("not poisoned").take().expect("arrived");
    assert_eq!(
        (there.id, there.version, there.bytes, there.payload, there.caller, there.source),
        (call.id, call.version, call.bytes.clone(), call.payload.clone(), call.caller.clone(), call.source)
    );
    assert_eq!(
        (there.replay_of, there.trace, there.headers, there.idempotency, there.wait, there.function.uid),
        (
            call.replay_of,
            call.trace,
            call.headers.clone(),
            call.idempotency.clone(),
            call.wait,
            call.function.uid
        )
    );
    let SyncAnswer::Finished { invocation, body } = answer else { panic!("should have ended: {answer:?}") };
    assert_eq!(
        (invocation.id, invocation.state(), invocation.lifecycle.epoch),
        (call.id, State::Succeeded, Epoch(1))
    );
    assert_eq!((&body[..], invocation.result.size), (&b"out"[..], 3));
}

#[tokio::test]
async fn a_call_that_outlives_its_wait_is_accepted_work() {
    let mut world = World::new().await;
    let dispatcher =
        on_call(|call| async move { Ok(SyncAnswer::Accepted(record(&call, State::Running))) }.boxed());
    let served = world.serve(dispatcher).await;
    let answer = world.client(&[&served.peer]).call(world.call("x")).await.expect("answered");
    assert!(matches!(answer, SyncAnswer::Accepted(record) if record.state() == State::Running));
}

#[tokio::test]
async fn payloads_and_answers_of_megabytes_pass_and_none_over_the_limit() {
    let mut world = World::new().await;
    let dispatcher = on_call(|call| {
        let body = call.bytes.clone();
        async move { Ok(finished(&call, body)) }.boxed()
    });
    let served = world.serve(dispatcher).await;
    let client = world.client(&[&served.peer]);
    let answer = client.call(world.call(&"x".repeat(8 << 20))).await.expect("answered");
    assert!(matches!(answer, SyncAnswer::Finished { body, .. } if body.len() == 8 << 20));
    client.call(world.call(&"x".repeat(10 << 20))).await.expect_err("over the limit");
}

#[tokio::test]
async fn an_error_comes_back_as_it_was() {
    let mut world = World::new().await;
    let dispatcher = on_call(|_| {
        let error = Error::new(ErrorKind::Exhausted, "TooManyWaiting", "too many calls wait")
            .with_metadata("limit", 5)
            .with_retry_after(Duration::from_secs(2));
        async move { Err(error) }.boxed()
    });
    let served = world.serve(Arc::clone(&dispatcher)).await;
    let other = world.serve(dispatcher.clone()).await;
    let error = world.client(&[&served.peer, &other.peer]).call(world.call("x")).await.expect_err("refused");
    assert_eq!(
        (error.kind(), error.reason(), error.message()),
        (ErrorKind::Exhausted, "TooManyWaiting", "too many calls wait")
    );
    assert_eq!(error.retry_after(), Some(Duration::from_secs(2)));
    assert_eq!(dispatcher.calls.load(Ordering::SeqCst), 1, "an answer is an answer: nobody else is asked");
}

#[tokio::test]
async fn a_dispatcher_that_is_gone_or_stops_is_passed_over() {
    let mut world = World::new().await;
    let dispatcher = on_call(|call| async move { Ok(finished(&call, "here")) }.boxed());
    let stopping = on_call(|_| unreachable!("it takes no more calls"));
    let served = world.serve(dispatcher).await;
    let stopped = world.serve(stopping).await;
    stopped.draining.store(true, Ordering::Release);
    let gone = nobody().await;
    // Whatever the order is, the one that serves is found.
    let client = world.client(&[&gone, &stopped.peer, &served.peer]);
    for _ in 0..4 {
        client.call(world.call("x")).await.expect("answered by the one that is there");
    }
    let nobody = world.client(&[&gone, &stopped.peer]).call(world.call("x")).await.expect_err("nobody");
    assert_eq!((nobody.kind(), nobody.retry_after().is_some()), (ErrorKind::Unavailable, true));
}

#[tokio::test]
async fn a_dispatcher_that_dies_with_the_call_is_not_replaced_behind_the_callers_back() {
    let mut world = World::new().await;
    let other = on_call(|call| async move { Ok(finished(&call, "twice")) }.boxed());
    let served = world.serve(Arc::clone(&other)).await;
    // Takes the connection and the request, and then is gone.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let dying = listener.local_addr().expect("an address").to_string().into();
    let client = world.client(&[&dying, &served.peer]);
    let accept = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        tokio::time::sleep(Duration::from_millis(200)).await;
        drop(stream);
        listener
    });
    let mut outcomes = Vec::new();
    for n in 0..20 {
        let mut call = world.call("x");
        // Functions are spread: some of them live on the dying one.
        let mut function = (*call.function).clone();
        function.key = eventflow_testkit::key(&format!("f{n}"));
        call.function = Arc::new(function);
        outcomes.push(client.call(call).await);
        if outcomes.last().is_some_and(Result::is_err) {
            break;
        }
    }
    let lost = outcomes.into_iter().find_map(Result::err).expect("one call was lost with its dispatcher");
    assert_eq!((lost.kind(), lost.reason()), (ErrorKind::Unavailable, "DispatcherLost"));
    accept.abort();
}

#[tokio::test]
async fn who_does_not_hold_the_key_gets_nothing() {
    let mut world = World::new().await;
    let dispatcher = on_call(|_| unreachable!("nobody may call"));
    let served = world.serve(dispatcher).await;
    let stranger = world.client_with(&Key::generate(), &[&served.peer]);
    let refused = stranger.call(world.call("x")).await.expect_err("refused");
    assert_eq!(refused.kind(), ErrorKind::Unauthenticated);
    let mut bare =
        DispatcherServiceClient::connect(format!("http://{}", served.peer)).await.expect("connects");
    let status = bare.get_load(GetLoadRequest {}).await.expect_err("refused");
    assert_eq!(status.code(), tonic::Code::Unauthenticated);
}

#[tokio::test]
async fn a_function_made_anew_under_the_same_name_is_not_called_instead() {
    let mut world = World::new().await;
    let dispatcher = on_call(|_| unreachable!("it is another function"));
    let served = world.serve(dispatcher).await;
    let mut call = world.call("x");
    let mut function = (*call.function).clone();
    function.uid = eventflow_domain::FunctionUid::generate();
    call.function = Arc::new(function);
    let error = world.client(&[&served.peer]).call(call).await.expect_err("unknown");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn the_load_says_what_waits_and_what_runs() {
    let mut world = World::new().await;
    let dispatcher = on_call(|_| unreachable!("only its load is asked for"));
    let served = world.serve(dispatcher).await;
    let clock = Arc::clone(&world.clock) as Arc<dyn eventflow_domain::ports::Clock>;
    let token = eventflow_auth::PeerKey::new(&world.key, "operator", clock).token().expect("a token");
    let mut client =
        DispatcherServiceClient::connect(format!("http://{}", served.peer)).await.expect("connects");
    let mut request = tonic::Request::new(GetLoadRequest {});
    request.metadata_mut().insert("eventflow-peer", token.parse().expect("a value"));
    let load = client.get_load(request).await.expect("answered").into_inner();
    assert_eq!((load.slots, load.running, load.waiting), (64, 3, 1));
    let [function] = load.functions.as_slice() else { panic!("one function: {load:?}") };
    assert_eq!((function.function.as_str(), function.queued, function.running), ("f", 7, 3));
    assert_eq!(function.oldest_age.as_ref().map(|age| age.seconds), Some(60));
}
