//! Over real sockets.

use crate::fake::{Gateway, gateway};
use eventflow_gateway::{ServerConfig, serve};
use eventflow_lifecycle::CancellationToken;
use eventflow_proto::v1::function_service_client::FunctionServiceClient;
use eventflow_proto::v1::{GetFunctionRequest, StreamLogsRequest};
use futures::StreamExt as _;
use pretty_assertions::assert_eq;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

struct Server {
    address: SocketAddr,
    gateway: Gateway,
    stop: CancellationToken,
    ended: JoinHandle<std::io::Result<()>>,
}

async fn server(config: ServerConfig) -> Server {
    let gateway = gateway();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let stop = CancellationToken::new();
    let ended = crate::fake::start(serve(listener, gateway.router.clone(), config, stop.clone()));
    Server { address, gateway, stop, ended }
}

impl Server {
    async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(5), self.ended)
            .await
            .expect("in time")
            .expect("no panic")
            .expect("no error");
    }

    /// Sends text, reads until the peer ends or falls silent.
    async fn talk(&self, text: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("a connection");
        stream.write_all(text.as_bytes()).await.expect("sent");
        let mut out = Vec::new();
        let _silent = tokio::time::timeout(Duration::from_secs(2), stream.read_to_end(&mut out)).await;
        String::from_utf8_lossy(&out).into_owned()
    }
}

#[tokio::test]
async fn grpc_and_rest_share_a_port() {
    let server = server(ServerConfig::default()).await;
    let mut client =
        FunctionServiceClient::connect(format!("http://{}", server.address)).await.expect("a client");
    let request = GetFunctionRequest { namespace: String::new(), name: "hello".to_owned() };
    let found = client.get_function(request).await.expect("a function").into_inner();
    assert_eq!(found.function.expect("a function").version(), 3);
    let mut lines = client
        .stream_logs(StreamLogsRequest { name: "hello".to_owned(), ..Default::default() })
        .await
        .expect("a stream")
        .into_inner();
    assert!(lines.message().await.expect("a line").is_some());
    drop((client, lines));
    let rest =
        server.talk("GET /v1/functions/hello HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    assert!(rest.starts_with("HTTP/1.1 200 OK") && rest.contains("\"version\":3"), "{rest}");
    server.stop().await;
}

#[tokio::test]
async fn a_caller_that_sends_a_body_over_the_limit_to_its_end_still_reads_why_it_was_refused() {
    const SIZE: usize = 32 << 20;
    let server = server(ServerConfig::default()).await;
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    let head = format!(
        "POST /v1/functions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {SIZE}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    // The refusal is written while most of this is still to come.
    let body = vec![b' '; 64 << 10];
    for sent in (0..SIZE).step_by(body.len()) {
        stream.write_all(&body).await.unwrap_or_else(|error| panic!("broken off at byte {sent}: {error}"));
    }
    stream.shutdown().await.expect("shut");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("the whole answer");
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("TooLarge"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn logs_come_over_a_websocket_with_the_token_as_its_protocol() {
    let server = server(ServerConfig::default()).await;
    let mut request =
        format!("ws://{}/v1/functions/hello/logs", server.address).into_client_request().expect("a request");
    request
        .headers_mut()
        .insert("sec-websocket-protocol", "eventflow, bearer.abc.def".parse().expect("a value"));
    let (mut socket, response) = tokio_tungstenite::connect_async(request).await.expect("a socket");
    assert_eq!(response.headers()["sec-websocket-protocol"], "eventflow");
    let first = socket.next().await.expect("a message").expect("a message").into_text().expect("text");
    assert!(first.contains("\"text\":\"Bearer abc.def\""), "{first}");
    let rest: Vec<_> = socket.map(|message| message.expect("a message")).collect().await;
    assert!(
        matches!(rest.last(), Some(Message::Close(Some(frame))) if u16::from(frame.code) == 1000),
        "{rest:?}"
    );

    let mut foreign =
        format!("ws://{}/v1/functions/hello/logs", server.address).into_client_request().expect("a request");
    foreign.headers_mut().insert("origin", "https://evil.example".parse().expect("a value"));
    let refused = tokio_tungstenite::connect_async(foreign).await.expect_err("refused");
    assert!(refused.to_string().contains("403"), "{refused}");
    server.stop().await;
}

#[tokio::test]
async fn a_function_url_upgrades_and_both_sides_talk() {
    let server = server(ServerConfig::default()).await;
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    stream.write_all(b"GET /fn/media/hello HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: echo\r\n\r\n").await.expect("sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a byte"));
    }
    let head = String::from_utf8(head).expect("text");
    assert!(head.starts_with("HTTP/1.1 101") && head.to_lowercase().contains("upgrade: echo"), "{head}");
    for text in ["hello", "again"] {
        stream.write_all(text.as_bytes()).await.expect("sent");
        let mut back = [0; 5];
        stream.read_exact(&mut back).await.expect("an echo");
        assert_eq!(back, text.as_bytes());
    }
    server.gateway.draining.cancel();
    assert_eq!(stream.read(&mut [0; 1]).await.expect("an end"), 0);
    server.stop().await;
}

#[tokio::test]
async fn junk_is_refused_and_slow_heads_are_given_up() {
    let server =
        server(ServerConfig { header_timeout: Duration::from_millis(300), ..ServerConfig::default() }).await;
    for junk in
        ["\x16\x03\x01\x02\x00\x01\x00\x01", "hello\r\n\r\n", "GET / HTTP/1.1\r\nhost: a\r\nx: a\rb\r\n\r\n"]
    {
        let answer = server.talk(junk).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    let begun = std::time::Duration::from_secs(2);
    let slow =
        tokio::time::timeout(begun, server.talk("GET / HTTP/1.1\r\nhost: loc")).await.expect("given up");
    assert!(slow.is_empty() || slow.starts_with("HTTP/1.1 4"), "{slow}");
    let short = "POST /v1/functions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\n{}";
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    stream.write_all(short.as_bytes()).await.expect("sent");
    stream.shutdown().await.expect("half closed");
    let mut out = Vec::new();
    stream.read_to_end(&mut out).await.expect("an end");
    assert!(server.gateway.fake.0.applied.lock().unwrap().is_empty(), "half a body is not applied");
    let fine = server.talk("GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    assert!(fine.starts_with("HTTP/1.1 200"), "{fine}");
    server.stop().await;
}

#[tokio::test]
async fn a_stop_lets_requests_in_flight_end_and_takes_no_new_ones() {
    let server = server(ServerConfig::default()).await;
    let address = server.address;
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream
        .write_all(b"GET /v1/functions/slow HTTP/1.1\r\nhost: localhost\r\ngrpc-timeout: 500m\r\n\r\n")
        .await
        .expect("sent");
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.stop().await;
    let mut out = Vec::new();
    stream.read_to_end(&mut out).await.expect("an end");
    assert!(out.starts_with(b"HTTP/1.1 504"), "{}", String::from_utf8_lossy(&out));
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn what_outlives_the_grace_is_cut_off() {
    let server = server(ServerConfig { grace: Duration::from_millis(200), ..ServerConfig::default() }).await;
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    stream.write_all(b"GET /v1/functions/slow HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sent");
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.stop().await;
    let mut out = Vec::new();
    let _reset = stream.read_to_end(&mut out).await;
    assert!(out.is_empty());
}
