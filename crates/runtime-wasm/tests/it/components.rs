//! Components: wasi:http in http mode, wasi:cli in job mode.

use crate::guests;
use crate::world::World;
use bytes::Bytes;
use eventflow_domain::invocation::Failure;
use eventflow_domain::logs::Stream;
use eventflow_domain::ports::{ByteStream, Call, HttpRequest, HttpResponse, LogSink, Runtime as _};
use eventflow_domain::spec::Egress;
use eventflow_domain::{FunctionVersion, Mode, Reason, StartKind};
use eventflow_testkit::contract::runtime::{CountingSink, call, output};
use eventflow_testkit::fakes::CapturedLogs;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

fn request(path: &str, body: ByteStream) -> HttpRequest {
    HttpRequest {
        method: http::Method::POST,
        uri: path.parse().expect("a path"),
        headers: http::HeaderMap::new(),
        body,
        upgrade: false,
    }
}

fn empty() -> ByteStream {
    stream::empty().boxed()
}

struct Site {
    world: World,
    version: Arc<FunctionVersion>,
}

impl Site {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    async fn with(egress: &[(&str, u16)]) -> Self {
        let world = World::new();
        let version = world.version_with(guests::http(), Mode::Http, |spec| {
            let to = |(host, port): &(&str, u16)| Egress { host: (*host).to_owned(), port: *port };
            spec.egress = egress.iter().map(to).collect();
        });
        let readiness = world.runtime.prepare(&version).await;
        assert!(readiness.is_ready(), "{readiness:?}");
        Self { world, version }
    }

    fn call(&self) -> Call {
        call(&self.version, "")
    }

    async fn get(&self, path: &str) -> Result<HttpResponse, Failure> {
        self.world.runtime.serve(self.call(), request(path, empty()), Arc::new(CountingSink::default())).await
    }

    async fn text(&self, path: &str) -> String {
        text(self.get(path).await.expect("an answer")).await
    }

    async fn failure(&self, path: &str, limit: Duration) -> Failure {
        let mut call = self.call();
        call.timeout = limit;
        let sink = Arc::new(CountingSink::default());
        self.world.runtime.serve(call, request(path, empty()), sink).await.expect_err("a failure")
    }
}

async fn text(response: HttpResponse) -> String {
    let pieces: Vec<Bytes> = response.body.try_collect().await.expect("a whole body");
    String::from_utf8(pieces.concat()).expect("should be UTF-8")
}

#[tokio::test]
async fn a_request_is_answered_with_status_headers_and_body() {
    let site = Site::new().await;
    let response = site.get("/status?503").await.expect("an answer");
    assert_eq!(response.status, 503);
    assert_eq!(response.start, StartKind::Warm);
    assert_eq!(response.headers.get("x-guest").map(http::HeaderValue::as_bytes), Some(&b"yes"[..]));
    assert_eq!(text(response).await, "as asked");
    assert_eq!(site.text("/hello").await, "hello");
}

#[tokio::test]
async fn headers_reach_the_guest_and_the_trace_is_the_calls_own() {
    let site = Site::new().await;
    let call = site.call();
    let trace = call.trace.to_string();
    for (name, expected) in [("ce-id", "42"), ("traceparent", trace.as_str())] {
        let mut request = request(&format!("/header?{name}"), empty());
        request.headers.insert("ce-id", http::HeaderValue::from_static("42"));
        request.headers.insert("traceparent", http::HeaderValue::from_static("00-forged"));
        let response =
            site.world.runtime.serve(call.clone(), request, Arc::new(CountingSink::default())).await;
        assert_eq!(text(response.expect("an answer")).await, expected);
    }
}

#[tokio::test]
async fn bodies_stream_in_both_directions() {
    let site = Site::new().await;
    let (send, mut receive) = mpsc::channel::<io::Result<Bytes>>(1);
    let body = stream::poll_fn(move |cx| receive.poll_recv(cx)).boxed();
    let sink = Arc::new(CountingSink::default());
    send.send(Ok(Bytes::from_static(b"one"))).await.expect("room");
    let response = site.world.runtime.serve(site.call(), request("/echo", body), sink).await;
    let mut answer = response.expect("the head comes before the body's end").body;
    assert_eq!(answer.next().await.expect("a piece").expect("no error"), "one");
    send.send(Ok(Bytes::from_static(b"two"))).await.expect("room");
    assert_eq!(answer.next().await.expect("a piece").expect("no error"), "two");
    drop(send);
    assert!(answer.next().await.is_none());
}

#[tokio::test]
async fn a_large_answer_comes_whole() {
    let site = Site::new().await;
    let response = site.get("/flood?256").await.expect("an answer");
    let size =
        response.body.try_fold(0, async |sum, piece| Ok(sum + piece.len())).await.expect("a whole body");
    assert_eq!(size, 256 * (64 << 10));
}

#[tokio::test]
async fn each_request_has_an_instance_of_its_own() {
    let site = Site::new().await;
    for _ in 0..3 {
        assert_eq!(site.text("/canary").await, "fresh");
    }
}

#[tokio::test]
async fn what_a_guest_prints_is_in_its_calls_logs() {
    let site = Site::new().await;
    let logs = Arc::new(CapturedLogs::default());
    let sink = Arc::clone(&logs) as Arc<dyn LogSink>;
    let response = site.world.runtime.serve(site.call(), request("/print", empty()), sink).await;
    assert_eq!(text(response.expect("an answer")).await, "");
    assert_eq!(logs.lines(Stream::Stdout), ["to stdout"]);
    assert_eq!(logs.lines(Stream::Stderr), ["to stderr"]);
}

#[tokio::test]
async fn a_guest_sees_the_given_environment_and_no_files_or_sockets() {
    let site = Site::new().await;
    let call = Call { env: Arc::new([("GREETING".to_owned(), "hi".to_owned())]), ..site.call() };
    let id = call.invocation;
    let sink = Arc::new(CountingSink::default());
    let response = site.world.runtime.serve(call, request("/env", empty()), sink).await.expect("an answer");
    let env = text(response).await;
    assert!(
        env.contains("GREETING=hi\n") && env.contains(&format!("EVENTFLOW_INVOCATION_ID={id}\n")),
        "{env}"
    );
    assert!(!env.contains("CARGO_"), "{env}");
    assert_eq!(site.text("/files").await, "no files");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let refused = site.text(&format!("/connect?{address}")).await;
    assert!(refused.starts_with("refused"), "{refused}");
}

#[tokio::test]
async fn a_trap_before_the_answer_is_a_failure() {
    let site = Site::new().await;
    let failure = site.failure("/trap", Duration::from_secs(20)).await;
    assert_eq!(failure.reason, Reason::Trap);
    assert!(failure.message.contains("unreachable"), "{}", failure.message);
    let failure = site.failure("/nothing", Duration::from_secs(20)).await;
    assert_eq!(failure.reason, Reason::NoAnswer);
}

#[tokio::test]
async fn an_endless_guest_is_ended_at_its_timeout() {
    let site = Site::new().await;
    let limit = Duration::from_millis(200);
    let mut late = Vec::new();
    for _ in 0..3 {
        let started = Instant::now();
        assert_eq!(site.failure("/forever", limit).await.reason, Reason::Timeout);
        late.push(started.elapsed());
        if started.elapsed() <= limit + Duration::from_millis(100) {
            return;
        }
    }
    panic!("ended after {late:?}, the limit is {limit:?}");
}

#[tokio::test]
async fn a_body_that_breaks_off_ends_with_an_error() {
    let site = Site::new().await;
    for (path, kind) in
        [("/trap-in-body", io::ErrorKind::Other), ("/forever-in-body", io::ErrorKind::TimedOut)]
    {
        let mut call = site.call();
        call.timeout = Duration::from_millis(300);
        let sink = Arc::new(CountingSink::default());
        let response = site.world.runtime.serve(call, request(path, empty()), sink).await;
        let pieces: Vec<_> = response.expect("a head").body.collect().await;
        let (last, first) = pieces.split_last().expect("pieces");
        assert_eq!(
            first.iter().map(|piece| piece.as_ref().expect("bytes").len()).sum::<usize>(),
            5,
            "{path}"
        );
        assert_eq!(last.as_ref().expect_err("an error").kind(), kind, "{path}");
    }
}

#[tokio::test]
async fn dropping_the_response_ends_the_guest() {
    let site = Site::new().await;
    let sink = Arc::new(CountingSink::default());
    let logs = Arc::clone(&sink) as Arc<dyn LogSink>;
    let response = site.world.runtime.serve(site.call(), request("/forever-in-body", empty()), logs).await;
    let mut response = response.expect("a head");
    assert!(response.body.next().await.is_some());
    drop(response);
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let before = sink.bytes();
        sleep(Duration::from_millis(200)).await;
        if sink.bytes() == before {
            return;
        }
        assert!(Instant::now() < deadline, "the guest still prints");
    }
}

/// Answers one request after another with `got <first line>` until it is told to stop.
async fn upstream(listener: TcpListener, stop: CancellationToken) {
    let serve = async {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            let read = stream.read(&mut head).await.expect("a request");
            let line = String::from_utf8_lossy(&head[..read]).lines().next().unwrap_or_default().to_owned();
            let body = format!("got {line}");
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.expect("should be written");
        }
    };
    tokio::select! { () = serve => (), () = stop.cancelled() => () }
}

#[tokio::test]
async fn a_guest_reaches_the_hosts_of_its_egress_and_no_other() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let stop = CancellationToken::new();
    let calls = async {
        let site = Site::with(&[("127.0.0.1", port)]).await;
        assert_eq!(site.text(&format!("/fetch?127.0.0.1:{port}")).await, "200 got GET /from-guest HTTP/1.1");
        let denied = site.text(&format!("/fetch?localhost:{port}")).await;
        assert!(denied.contains("HttpRequestDenied"), "{denied}");
        let closed = Site::new().await;
        let denied = closed.text(&format!("/fetch?127.0.0.1:{port}")).await;
        assert!(denied.contains("HttpRequestDenied"), "{denied}");
        stop.cancel();
    };
    tokio::join!(upstream(listener, stop.clone()), calls);
}

#[tokio::test]
async fn a_cli_component_runs_as_a_job() {
    let world = World::new();
    let version = world.prepared(guests::job(), Mode::Job).await;
    let logs = Arc::new(CapturedLogs::default());
    let ran = world.runtime.run(call(&version, "hello"), Arc::clone(&logs) as Arc<dyn LogSink>).await;
    assert_eq!(output(ran).bytes, "HELLO");
    assert_eq!(logs.lines(Stream::Stdout), ["HELLO"]);

    let failing = world.version_with(guests::job(), Mode::Job, |spec| spec.args = vec!["--fail".to_owned()]);
    let ran = world.runtime.run(call(&failing, "hello"), Arc::new(CountingSink::default())).await;
    let failure = ran.failure.expect("a failure");
    // wasi:cli 0.2 tells success from failure and no more.
    assert_eq!((failure.reason, ran.exit_code), (Reason::ExitCode, Some(1)));
}

#[tokio::test]
async fn a_place_is_free_again_when_a_response_is_dropped() {
    let world = World::with(|config| config.max_instances = 1);
    let version = world.prepared(guests::http(), Mode::Http).await;
    for _ in 0..5 {
        let serve = world.runtime.serve(
            call(&version, ""),
            request("/forever-in-body", empty()),
            Arc::new(CountingSink::default()),
        );
        let response = timeout(Duration::from_secs(5), serve).await.expect("a place").expect("a head");
        drop(response);
    }
}
