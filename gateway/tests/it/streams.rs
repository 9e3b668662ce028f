use crate::fake::{gateway, gateway_with, request};
use axum::body::Body;
use eventflow_gateway::GatewayConfig;
use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use pretty_assertions::assert_eq;
use std::time::Duration;
use tower::ServiceExt as _;

#[tokio::test]
async fn streams_are_ndjson_by_default() {
    let gateway = gateway();
    let got = gateway.get("/v1/functions/hello/logs?tail=5").await;
    assert_eq!((got.status, got.header("content-type")), (200, "application/x-ndjson"));
    let lines: Vec<serde_json::Value> = std::str::from_utf8(&got.body)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((lines[1]["seq"].as_i64(), lines[1]["text"].as_str()), (Some(2), Some("anonymous")));
}

#[tokio::test]
async fn an_error_before_the_stream_is_a_problem_and_one_within_it_is_its_last_line() {
    let gateway = gateway();
    assert_eq!(gateway.get("/v1/functions/none/logs").await.status, 404);
    assert_eq!(gateway.get("/v1/functions/hello/logs?tial=5").await.status, 400);
    let broken = gateway.get("/v1/functions/breaks/logs").await;
    let last: serde_json::Value =
        serde_json::from_str(std::str::from_utf8(&broken.body).unwrap().lines().last().unwrap()).unwrap();
    assert_eq!(
        (last["error"]["status"].as_i64(), last["error"]["detail"].as_str()),
        (Some(503), Some("gone"))
    );
    let sse = request("GET", "/v1/functions/breaks/logs").header("accept", "text/event-stream");
    let sse = gateway.send(sse.body(Body::empty()).unwrap()).await;
    assert!(std::str::from_utf8(&sse.body).unwrap().contains("event: error\ndata: {\"type\""));
}

#[tokio::test]
async fn server_sent_events_carry_ids_and_resume_by_them() {
    let gateway = gateway();
    let logs = request("GET", "/v1/functions/hello/logs").header("accept", "text/event-stream");
    let logs = gateway.send(logs.body(Body::empty()).unwrap()).await;
    assert_eq!(logs.header("content-type"), "text/event-stream");
    assert!(logs.body.starts_with(b"id: 1:1\ndata: {\"attempt\":1,\"seq\":1,"), "{:?}", logs.body);
    let watch = request("GET", "/v1/functions:watch")
        .header("accept", "text/event-stream")
        .header("last-event-id", "7");
    let watch = gateway.send(watch.body(Body::empty()).unwrap()).await;
    assert!(watch.body.starts_with(b"id: 7+1\ndata: {\"type\":\"CHANGED\""), "{:?}", watch.body);
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_says_that_it_is_alive_and_ends_when_the_process_drains() {
    for (accept, alive) in [("*/*", "\n"), ("text/event-stream", ":\n\n")] {
        let gateway =
            gateway_with(GatewayConfig { keep_alive: Duration::from_secs(15), ..GatewayConfig::default() });
        let follow = request("GET", "/v1/functions/hello/logs?follow").header("accept", accept);
        let response = gateway.router.clone().oneshot(follow.body(Body::empty()).unwrap()).await.unwrap();
        let mut pieces = response.into_body().into_data_stream();
        for _ in 0..2 {
            assert!(pieces.next().await.unwrap().unwrap().len() > 10);
        }
        let begun = tokio::time::Instant::now();
        assert_eq!(pieces.next().await.unwrap().unwrap(), alive);
        assert!(begun.elapsed() <= Duration::from_secs(20));
        gateway.draining.cancel();
        assert!(pieces.next().await.is_none(), "a clean end");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_at_its_deadline() {
    let gateway = gateway();
    let follow = request("GET", "/v1/functions/hello/logs?follow=true").header("grpc-timeout", "5S");
    let got = gateway.send(follow.body(Body::empty()).unwrap()).await;
    assert!(std::str::from_utf8(&got.body).unwrap().lines().last().unwrap().contains("DeadlineExceeded"));
}

#[tokio::test]
async fn bodies_are_not_gathered() {
    let gateway = gateway();
    let follow = request("GET", "/v1/functions/hello/logs?follow=true").body(Body::empty()).unwrap();
    let mut body = gateway.router.clone().oneshot(follow).await.unwrap().into_body();
    let frame = tokio::time::timeout(Duration::from_secs(5), body.frame()).await.expect("at once");
    assert!(frame.expect("a frame").expect("a frame").into_data().expect("data").ends_with(b"\n"));
}

#[tokio::test]
async fn a_heartbeat_of_the_service_is_no_value() {
    let gateway = gateway();
    let lines = gateway.get("/v1/functions/quiet/logs").await;
    let text = std::str::from_utf8(&lines.body).unwrap();
    assert!(text.starts_with('\n') && text.matches("\"seq\":1,").count() == 1, "{text}");
    let events = request("GET", "/v1/functions/quiet/logs").header("accept", "text/event-stream");
    let events = gateway.send(events.body(Body::empty()).unwrap()).await;
    assert!(events.body.starts_with(b":\n\nid: 1:1\ndata: {"), "{:?}", events.body);
}
