//! A gateway of its own over apis on loopback: every answer is what the api itself would have given.

use crate::fake::{Fake, Gateway, Got, gateway_over, request, start};
use axum::body::Body;
use eventflow_auth::{Authenticator, DevLogin, Key, PeerKey, Users};
use eventflow_domain::access::Caller;
use eventflow_domain::ports::Clock;
use eventflow_gateway::{GatewayConfig, RemoteApi, ServerConfig, Services, for_gateways, serve};
use eventflow_interconnect::{Apis, BalanceConfig, ClientConfig, RemoteInvoker, StaticPeers};
use eventflow_lifecycle::{CancellationToken, SystemClock};
use eventflow_proto::internal::gateway_service_client::GatewayServiceClient;
use eventflow_proto::internal::{AdmitUrlRequest, InvokeRequest};
use eventflow_proto::v1::function_service_client::FunctionServiceClient;
use eventflow_proto::v1::{GetFunctionRequest, StreamLogsRequest};
use futures::StreamExt as _;
use pretty_assertions::assert_eq;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::Code;
use tonic::transport::Channel;

const SOON: Duration = Duration::from_secs(10);

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

/// One api, which can be ended and started again where it was.
struct Api {
    gateway: Gateway,
    address: SocketAddr,
    running: Option<(CancellationToken, JoinHandle<std::io::Result<()>>)>,
    key: Key,
}

impl Api {
    async fn start(key: &Key) -> Self {
        let gateway = gateway_over(GatewayConfig::default(), Fake::default(), Some(peer_key(key)));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut api = Self { gateway, address, running: None, key: key.clone() };
        api.serve(listener);
        api
    }

    fn serve(&mut self, listener: TcpListener) {
        let fake = Arc::new(self.gateway.fake.clone());
        let router = self.gateway.router.clone().merge(for_gateways(fake, peer_key(&self.key), 64 << 20));
        let stop = CancellationToken::new();
        let config = ServerConfig { grace: Duration::ZERO, ..ServerConfig::default() };
        self.running = Some((stop.clone(), start(serve(listener, router, config, stop))));
    }

    async fn stop(&mut self) {
        let (stop, ended) = self.running.take().expect("it runs");
        stop.cancel();
        ended.await.expect("no panic").expect("no error");
    }

    async fn again(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("its port");
        self.serve(listener);
    }

    fn asked(&self) -> usize {
        self.gateway.fake.0.metadata.lock().expect("a lock").len()
    }
}

fn peer_key(key: &Key) -> Arc<PeerKey> {
    Arc::new(PeerKey::new(key, "test", clock()))
}

struct World {
    apis: Vec<Api>,
    front: Gateway,
    balanced: Apis,
    token: String,
    key: Key,
}

async fn world(apis: usize) -> World {
    let key = Key::generate();
    let apis: Vec<_> = futures::future::join_all((0..apis).map(|_| Api::start(&key))).await;
    let peers = Arc::new(StaticPeers::new(apis.iter().map(|api| api.address.to_string())));
    let config = BalanceConfig { probe_every: Duration::from_millis(100), ..BalanceConfig::default() };
    let balanced = Apis::new(peers, peer_key(&key), clock(), config);
    let users = Users::new(Vec::new(), DevLogin::Disabled).expect("users");
    let people = Arc::new(Authenticator::new(&key, users, clock()));
    let token = people.issue(&Caller::admin("root"), SOON).expect("a token").token;
    let nobody = Arc::new(StaticPeers::new(Vec::<String>::new()));
    let dispatchers = RemoteInvoker::new(nobody, peer_key(&key), clock(), ClientConfig::default());
    let remote = RemoteApi::new(people, balanced.clone(), Arc::new(dispatchers), 64 << 20);
    let front = Gateway::build(GatewayConfig::default(), Services::from(balanced.clone()), remote);
    World { apis, front, balanced, token, key }
}

impl World {
    async fn ask(&self, gateway: &Gateway, method: &str, path: &str, body: &str) -> Got {
        let request = request(method, path)
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.token));
        gateway.send(request.body(Body::from(body.to_owned())).expect("a request")).await
    }

    async fn get(&self, path: &str) -> Got {
        self.ask(&self.front, "GET", path, "").await
    }

    /// The front on a port of its own.
    async fn serve(&self) -> (String, CancellationToken) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        start(serve(listener, self.front.router.clone(), ServerConfig::default(), stop.clone()));
        (format!("http://{address}"), stop)
    }
}

#[tokio::test]
async fn every_answer_is_what_the_api_itself_gives() {
    let world = world(1).await;
    let api = &world.apis[0].gateway;
    for (method, path, body) in [
        ("GET", "/v1/functions/hello", ""),
        ("GET", "/v1/functions/none", ""),
        ("GET", "/v1/functions/busy", ""),
        ("GET", "/v1/functions/panics", ""),
        ("GET", "/v1/functions", ""),
        ("GET", "/v1/functions?nonsense=1", ""),
        ("GET", "/v1/nonsense", ""),
        ("PATCH", "/v1/functions/hello", ""),
        ("PUT", "/v1/functions/new", "{\"image\": \"a\"}"),
        ("PUT", "/v1/functions/old", "{\"image\": \"a\"}"),
        ("PUT", "/v1/functions/new", "{\"imag\": \"a\"}"),
        ("DELETE", "/v1/functions/hello", ""),
        ("POST", "/v1/functions/paused:pause", "{}"),
        ("POST", "/v1/functions/hello:resume", "{}"),
        ("GET", "/v1/functions/hello/versions", ""),
        ("GET", "/v1/functions/hello/logs", ""),
        ("GET", "/v1/functions/breaks/logs", ""),
        ("GET", "/v1/functions/none/logs", ""),
        ("GET", "/v1/functions:watch", ""),
        ("POST", "/v1/artifacts", "some code"),
    ] {
        let (ours, theirs) =
            tokio::join!(world.ask(&world.front, method, path, body), world.ask(api, method, path, body));
        assert_eq!((ours.status, text(&ours)), (theirs.status, text(&theirs)), "{method} {path}");
        for name in ["content-type", "etag", "location", "retry-after", "eventflow-note", "x-internal"] {
            assert_eq!(ours.header(name), theirs.header(name), "{name} of {method} {path}");
        }
    }
}

/// The body, without the id of the request.
fn text(got: &Got) -> String {
    let text = String::from_utf8_lossy(&got.body).into_owned();
    let Some((before, after)) = text.split_once("\"requestId\":\"") else { return text };
    let after = after.split_once('"').map_or("", |(_, after)| after);
    format!("{before}{after}")
}

#[tokio::test]
async fn a_call_goes_over_with_all_that_http_carries_and_its_answer_comes_back() {
    let world = world(1).await;
    let request = request("POST", "/v1/functions/hello:invoke?wait=5s&version=2")
        .header("content-type", "text/plain; charset=utf-8")
        .header("authorization", format!("Bearer {}", world.token))
        .header("idempotency-key", "k-1")
        .header("x-custom", "\u{e9}".as_bytes())
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let got = world.front.send(request.body(Body::from("hi")).expect("a request")).await;
    assert!(matches!(got.status, 200 | 202), "{} {:?}", got.status, got.body);
    let invoked = world.apis[0].gateway.fake.0.invoked.lock().expect("a lock").clone();
    let call = &invoked[0];
    assert_eq!((call.name.as_str(), &*call.body), ("hello", b"hi".as_slice()));
    assert_eq!(call.content_type.as_deref(), Some("text/plain; charset=utf-8"));
    assert_eq!(call.wait, Some(Duration::from_secs(5)));
    assert_eq!(call.version.map(|version| version.0), Some(2));
    assert_eq!(call.idempotency_key.as_deref(), Some("k-1"));
    assert_eq!(call.headers["x-custom"].as_bytes(), "\u{e9}".as_bytes());
    assert_eq!(call.trace.trace_id_hex(), "4bf92f3577b34da6a3ce929d0e0e4736");
    let bearer = format!("Bearer {}", world.token);
    assert_eq!(call.authorization.as_ref().map(http::HeaderValue::as_bytes), Some(bearer.as_bytes()));
}

#[tokio::test]
async fn who_has_no_token_is_told_so_by_the_gateway_and_no_api_is_asked() {
    let world = world(1).await;
    let refused = world.front.get("/v1/functions/hello").await;
    assert_eq!((refused.status, refused.json()["reason"].as_str()), (401, Some("Unauthenticated")));
    assert_eq!(world.apis[0].asked(), 0);
}

#[tokio::test]
async fn requests_are_spread_and_an_api_that_ends_is_left_and_found_again() {
    let mut world = world(2).await;
    for _ in 0..20 {
        assert_eq!(world.get("/v1/functions/hello").await.status, 200);
    }
    assert!(world.apis.iter().all(|api| api.asked() >= 5), "both are asked");
    world.apis[0].stop().await;
    let before = world.apis[1].asked();
    for _ in 0..20 {
        assert_eq!(world.get("/v1/functions/hello").await.status, 200, "nobody sees that one is gone");
    }
    assert_eq!(world.apis[1].asked(), before + 20);
    world.apis[0].again().await;
    let (before, probe) = (world.apis[0].asked(), start(world.balanced.clone().probe(|_| {})));
    let found = async {
        while world.apis[0].asked() == before {
            assert_eq!(world.get("/v1/functions/hello").await.status, 200);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, found).await.expect("it is found again");
    probe.abort();
}

#[tokio::test]
async fn without_any_api_the_answer_says_so_and_readiness_follows() {
    let mut world = world(1).await;
    world.apis[0].stop().await;
    let refused = world.get("/v1/functions/hello").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"), "{:?}", refused.body);
    let (said, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let probe = start(world.balanced.clone().probe(move |answering| assert!(said.send(answering).is_ok())));
    let first = heard.recv().await.expect("a probe");
    assert_eq!((first.known, first.answering), (1, 0));
    world.apis[0].again().await;
    let found = async { while heard.recv().await.expect("a probe").ready == 0 {} };
    tokio::time::timeout(SOON, found).await.expect("it is found again");
    probe.abort();
}

#[tokio::test]
async fn native_grpc_is_passed_through_with_details_and_streams_that_end_when_the_gateway_drains() {
    let world = world(1).await;
    let (url, stop) = world.serve().await;
    let mut client = FunctionServiceClient::connect(url).await.expect("a client");
    let get = |name: &str| GetFunctionRequest { namespace: String::new(), name: name.to_owned() };
    let found = client.get_function(get("hello")).await.expect("a function");
    assert_eq!(found.metadata().get("eventflow-note").expect("metadata"), "hello");
    let refused = client.get_function(get("busy")).await.expect_err("busy");
    let problem = eventflow_proto::status::Problem::from(&refused);
    assert_eq!((problem.code, problem.reason.as_str()), (Code::ResourceExhausted, "QueueFull"));
    assert_eq!(problem.retry_after, Some(Duration::from_millis(2500)));
    let follow = StreamLogsRequest { name: "hello".to_owned(), follow: true, ..Default::default() };
    let mut lines = client.stream_logs(follow).await.expect("a stream").into_inner();
    assert!(lines.message().await.expect("a line").is_some());
    assert!(lines.message().await.expect("a line").is_some());
    world.front.draining.cancel();
    let end = tokio::time::timeout(SOON, lines.next()).await.expect("in time");
    assert!(end.is_none(), "a clean end: {end:?}");
    stop.cancel();
}

#[tokio::test]
async fn a_stream_whose_api_goes_away_ends_with_a_status_that_says_so() {
    let mut world = world(1).await;
    let (url, stop) = world.serve().await;
    let mut client = FunctionServiceClient::connect(url).await.expect("a client");
    let follow = StreamLogsRequest { name: "hello".to_owned(), follow: true, ..Default::default() };
    let mut lines = client.stream_logs(follow).await.expect("a stream").into_inner();
    assert!(lines.message().await.expect("a line").is_some());
    world.apis[0].stop().await;
    let broken = async {
        loop {
            match lines.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("a clean end would be a lie"),
                Err(status) => return status,
            }
        }
    };
    let status = tokio::time::timeout(SOON, broken).await.expect("in time");
    let problem = eventflow_proto::status::Problem::from(&status);
    assert_eq!((problem.code, problem.reason.as_str()), (Code::Unavailable, "ApiLost"), "{status:?}");
    stop.cancel();
}

#[tokio::test]
async fn the_typed_routes_answer_nobody_but_gateways_that_hold_the_key() {
    let world = world(1).await;
    let url = format!("http://{}", world.apis[0].address);
    let channel = Channel::from_shared(url).expect("a URL").connect().await.expect("a connection");
    let with = |token: Option<String>| {
        GatewayServiceClient::with_interceptor(channel.clone(), move |mut request: tonic::Request<()>| {
            if let Some(token) = &token {
                request.metadata_mut().insert("eventflow-peer", token.parse().expect("a value"));
            }
            Ok(request)
        })
    };
    let stranger = peer_key(&Key::generate()).token().expect("a token").to_string();
    let invoke = InvokeRequest {
        namespace: "default".to_owned(),
        function: "hello".to_owned(),
        ..InvokeRequest::default()
    };
    for token in [None, Some(world.token.clone()), Some(stranger)] {
        let refused = with(token.clone()).invoke(invoke.clone()).await.expect_err("refused");
        assert_eq!(refused.code(), Code::Unauthenticated, "{token:?}");
        let refused = with(token).admit_url(AdmitUrlRequest::default()).await.expect_err("refused");
        assert_eq!(refused.code(), Code::Unauthenticated);
    }
    let ours = peer_key(&world.key).token().expect("a token").to_string();
    with(Some(ours)).invoke(invoke).await.expect("answered");
}
