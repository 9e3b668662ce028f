//! Requests to function URLs.

use crate::world::{World, nobody, on_proxy};
use eventflow_domain::access::Caller;
use eventflow_domain::ports::{ByteStream, Duplex, HttpRequest, HttpResponse, Invoker as _, ProxyCall};
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{Bytes, Error, ErrorKind, InvocationId, StartKind, Timestamp};
use futures::{
    AsyncReadExt as _, AsyncWriteExt as _, FutureExt as _, SinkExt as _, StreamExt as _, TryStreamExt as _,
};
use http::{HeaderMap, Method, StatusCode};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::compat::TokioAsyncReadCompatExt as _;

const SOON: Duration = Duration::from_secs(5);

fn stream(pieces: &[&'static str]) -> ByteStream {
    futures::stream::iter(
        pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))).collect::<Vec<_>>(),
    )
    .boxed()
}

fn call(world: &World) -> ProxyCall {
    ProxyCall {
        id: InvocationId::generate(),
        function: Arc::clone(&world.function),
        caller: Caller::admin("alice"),
        trace: TraceContext::generate(),
    }
}

fn request(uri: &str, body: ByteStream) -> HttpRequest {
    let headers = HeaderMap::from_iter([
        (http::header::HOST, "example.test".parse().expect("a value")),
        (http::header::AUTHORIZATION, "Basic Zm9v".parse().expect("a value")),
    ]);
    HttpRequest { method: Method::PUT, uri: uri.parse().expect("a URI"), headers, body, upgrade: false }
}

fn response(status: StatusCode, body: ByteStream) -> HttpResponse {
    HttpResponse {
        start: StartKind::Cold,
        started_at: Timestamp::from_millis(1_700_000_000_000),
        status,
        headers: HeaderMap::from_iter([("x-own".parse().expect("a name"), "1".parse().expect("a value"))]),
        body,
        upgraded: None,
    }
}

async fn whole(body: ByteStream) -> String {
    let pieces: Vec<Bytes> = body.try_collect().await.expect("a whole body");
    String::from_utf8(pieces.concat()).expect("text")
}

#[tokio::test]
async fn the_function_sees_the_request_as_it_was_and_the_caller_the_answer_as_it_was() {
    let mut world = World::new().await;
    let seen = Arc::new(Mutex::new(None));
    let there = Arc::clone(&seen);
    let dispatcher = on_proxy(move |call, request| {
        let there = Arc::clone(&there);
        async move {
            let HttpRequest { method, uri, headers, body, .. } = request;
            *there.lock().expect("not poisoned") = Some((call, method, uri, headers, whole(body).await));
            Ok(response(StatusCode::IM_A_TEAPOT, stream(&["sh", "ort"])))
        }
        .boxed()
    });
    let served = world.serve(dispatcher).await;
    let call = call(&world);
    let (id, trace) = (call.id, call.trace);
    let answer = world
        .client(&[&served.peer])
        .proxy(call, request("/a%2Fb//c/?q=1&q=%20", stream(&["hello ", "there"])))
        .await
        .expect("answered");
    assert_eq!((answer.status, answer.start), (StatusCode::IM_A_TEAPOT, StartKind::Cold));
    assert_eq!(answer.started_at, Timestamp::from_millis(1_700_000_000_000));
    assert_eq!(answer.headers.get("x-own").expect("its header"), "1");
    assert!(
        answer.headers.keys().all(|name| !name.as_str().starts_with("eventflow-")),
        "{:?}",
        answer.headers
    );
    assert_eq!(whole(answer.body).await, "short");
    let (call, method, uri, headers, body) = seen.lock().expect("not poisoned").take().expect("arrived");
    assert_eq!(
        (call.id, call.trace, &*call.caller.subject, call.function.uid),
        (id, trace, "alice", world.function.uid)
    );
    assert_eq!(
        (method, uri.to_string().as_str(), body.as_str()),
        (Method::PUT, "/a%2Fb//c/?q=1&q=%20", "hello there")
    );
    assert_eq!(headers.get("host").expect("its host"), "example.test");
    assert_eq!(headers.get("authorization").expect("the function's own"), "Basic Zm9v");
    assert!(headers.keys().all(|name| !name.as_str().starts_with("eventflow-")), "{headers:?}");
}

#[tokio::test]
async fn the_root_of_a_function_and_a_bare_query_arrive() {
    let mut world = World::new().await;
    let dispatcher = on_proxy(|_, request| {
        let uri = request.uri.to_string();
        let body = futures::stream::once(async move { Ok(Bytes::from(uri)) }).boxed();
        async move { Ok(response(StatusCode::OK, body)) }.boxed()
    });
    let served = world.serve(dispatcher).await;
    let client = world.client(&[&served.peer]);
    for path in ["/", "/?a=b"] {
        let answer = client.proxy(call(&world), request(path, stream(&[]))).await.expect("answered");
        assert_eq!(whole(answer.body).await, path);
    }
}

#[tokio::test]
async fn both_directions_flow_at_once() {
    let mut world = World::new().await;
    let dispatcher = on_proxy(|_, request| async move { Ok(response(StatusCode::OK, request.body)) }.boxed());
    let served = world.serve(dispatcher).await;
    let (mut sender, receiver) = futures::channel::mpsc::channel(1);
    sender.send(Ok(Bytes::from_static(b"one"))).await.expect("taken");
    let sent = world.client(&[&served.peer]);
    let mut answer = timeout(SOON, sent.proxy(call(&world), request("/", receiver.boxed())))
        .await
        .expect("in time")
        .expect("answered");
    for piece in ["two", "three"] {
        let echoed =
            timeout(SOON, answer.body.next()).await.expect("soon").expect("not the end").expect("no error");
        assert!(!echoed.is_empty());
        sender.send(Ok(Bytes::from_static(piece.as_bytes()))).await.expect("taken");
    }
    drop(sender);
    assert_eq!(whole(answer.body).await, "three");
}

#[tokio::test]
async fn a_refusal_comes_back_as_it_was_and_a_dispatcher_that_is_gone_costs_no_request() {
    let mut world = World::new().await;
    let refusing = on_proxy(|_, _| {
        async {
            Err(Error::new(ErrorKind::Exhausted, "NoFreeSlot", "as many as it may").with_retry_after(SOON))
        }
        .boxed()
    });
    let served = world.serve(refusing).await;
    let gone = nobody().await;
    let client = world.client(&[&gone, &served.peer]);
    for _ in 0..3 {
        let error = client.proxy(call(&world), request("/", stream(&["body"]))).await.expect_err("refused");
        assert_eq!(
            (error.kind(), error.reason(), error.retry_after()),
            (ErrorKind::Exhausted, "NoFreeSlot", Some(SOON))
        );
    }
}

#[tokio::test]
async fn a_request_that_a_stopping_dispatcher_refuses_arrives_whole_at_the_next() {
    let mut world = World::new().await;
    let echo = || on_proxy(|_, request| async move { Ok(response(StatusCode::OK, request.body)) }.boxed());
    let (one, other) = (world.serve(echo()).await, world.serve(echo()).await);
    // One of them is the function's home, whichever that is.
    for (stops, stays) in [(&one, &other), (&other, &one)] {
        stops.draining.store(true, Ordering::SeqCst);
        stays.draining.store(false, Ordering::SeqCst);
        let client = world.client(&[&one.peer, &other.peer]);
        let sent = request("/", stream(&["hello ", "there"]));
        let answer = client.proxy(call(&world), sent).await.expect("answered");
        assert_eq!(whole(answer.body).await, "hello there");
    }
}

#[tokio::test]
async fn a_request_too_large_to_be_kept_is_refused_by_a_stopping_dispatcher_or_arrives_whole() {
    const PIECE: &str = match std::str::from_utf8(&[b'x'; 64 << 10]) {
        Ok(piece) => piece,
        Err(_) => "",
    };
    let mut world = World::new().await;
    let echo = || on_proxy(|_, request| async move { Ok(response(StatusCode::OK, request.body)) }.boxed());
    let (one, other) = (world.serve(echo()).await, world.serve(echo()).await);
    for (stops, stays) in [(&one, &other), (&other, &one)] {
        stops.draining.store(true, Ordering::SeqCst);
        stays.draining.store(false, Ordering::SeqCst);
        let client = world.client(&[&one.peer, &other.peer]);
        match client.proxy(call(&world), request("/", stream(&[PIECE; 32]))).await {
            Ok(answer) => assert_eq!(whole(answer.body).await.len(), 32 * PIECE.len()),
            Err(refused) => assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}"),
        }
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off_for_the_caller_too() {
    let mut world = World::new().await;
    let (crash, crashed) = futures::channel::oneshot::channel::<()>();
    let crashed = Mutex::new(Some(crashed));
    let dispatcher = on_proxy(move |_, _| {
        let crashed = crashed.lock().expect("not poisoned").take().expect("called once");
        let end = futures::stream::once(async move {
            let _ = crashed.await;
            Err(std::io::Error::other("crashed"))
        });
        let broken = stream(&["some"]).chain(end).boxed();
        async move { Ok(response(StatusCode::OK, broken)) }.boxed()
    });
    let served = world.serve(dispatcher).await;
    let mut answer =
        world.client(&[&served.peer]).proxy(call(&world), request("/", stream(&[]))).await.expect("answered");
    let first = timeout(SOON, answer.body.next()).await.expect("soon").expect("a piece").expect("no error");
    assert_eq!(&first[..], b"some");
    drop(crash);
    timeout(SOON, answer.body.next())
        .await
        .expect("soon")
        .expect("no clean end")
        .expect_err("the end is missing");
}

#[tokio::test]
async fn an_upgraded_connection_reaches_the_function() {
    let mut world = World::new().await;
    let dispatcher = on_proxy(|_, request| {
        assert!(request.upgrade, "it was asked for");
        let (ours, mut function) = tokio::io::duplex(64);
        tokio::spawn(async move {
            let (mut read, mut write) = tokio::io::split(&mut function);
            drop(tokio::io::copy(&mut read, &mut write).await);
        });
        let mut answer = response(StatusCode::SWITCHING_PROTOCOLS, stream(&[]));
        answer.headers.insert("connection", "upgrade".parse().expect("a value"));
        answer.headers.insert("upgrade", "echo".parse().expect("a value"));
        answer.upgraded = Some(Box::pin(async move { Ok(Box::new(ours.compat()) as Box<dyn Duplex>) }));
        async move { Ok(answer) }.boxed()
    });
    let served = world.serve(dispatcher).await;
    let mut asked = request("/", stream(&[]));
    asked.method = Method::GET;
    asked.upgrade = true;
    asked.headers.insert("connection", "upgrade".parse().expect("a value"));
    asked.headers.insert("upgrade", "echo".parse().expect("a value"));
    let answer = world.client(&[&served.peer]).proxy(call(&world), asked).await.expect("answered");
    assert_eq!(answer.status, StatusCode::SWITCHING_PROTOCOLS);
    let mut connection =
        timeout(SOON, answer.upgraded.expect("a connection")).await.expect("soon").expect("upgraded");
    connection.write_all(b"ping").await.expect("written");
    connection.flush().await.expect("flushed");
    let mut echoed = [0; 4];
    timeout(SOON, connection.read_exact(&mut echoed)).await.expect("soon").expect("echoed");
    assert_eq!(&echoed, b"ping");
}
