//! Bytes that are no HTTP, or only half of it (rows 8, 14 and 35).

use super::Scene;
use eventflow_e2e::Server;
use eventflow_e2e::wait::{SOON, within};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// What comes back until the server closes; `end` says whether nothing more will be sent.
async fn talk(scene: &Scene, bytes: &[u8], end: bool) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", scene.server.port())).await.unwrap();
    // The server may be done with it before all is sent.
    drop(stream.write_all(bytes).await);
    if end {
        drop(stream.shutdown().await);
    }
    let mut out = Vec::new();
    let read = within("an answer or an end", SOON, stream.read_to_end(&mut out)).await;
    drop(read);
    String::from_utf8_lossy(&out).into_owned()
}

/// The head of a call with a body.
fn head(scene: &Scene, more: &str) -> String {
    let port = scene.server.port();
    let token = scene.rest.token().unwrap();
    format!(
        "POST /v1/functions/a:invoke HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {token}\r\n\
         connection: close\r\n{more}\r\n"
    )
}

#[tokio::test]
async fn junk_gets_a_400_or_a_clean_end_and_the_port_lives_on() {
    let scene = Scene::start().await;
    let host = format!("host: 127.0.0.1:{}\r\n", scene.server.port());
    let many = "x-many: 1\r\n".repeat(200);
    let work = async {
        let rows: [(&str, Vec<u8>); 12] = [
            ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
            ("text", b"hello\r\n\r\n".to_vec()),
            ("zeros", vec![0; 4096]),
            ("every byte", (0..=255).cycle().take(65_536).collect()),
            ("a CR in a value", format!("GET / HTTP/1.1\r\n{host}x: a\rb\r\n\r\n").into_bytes()),
            ("a NUL in a value", format!("GET / HTTP/1.1\r\n{host}x: a\0b\r\n\r\n").into_bytes()),
            ("a blank before the colon", format!("GET / HTTP/1.1\r\n{host}x : a\r\n\r\n").into_bytes()),
            ("an unknown version", format!("GET / HTTP/9.9\r\n{host}\r\n").into_bytes()),
            ("no host", b"GET /v1/functions HTTP/1.1\r\n\r\n".to_vec()),
            (
                "a length that is none",
                format!("POST / HTTP/1.1\r\n{host}content-length: many\r\n\r\n").into_bytes(),
            ),
            (
                "two lengths",
                format!("POST / HTTP/1.1\r\n{host}content-length: 1\r\ncontent-length: 2\r\n\r\nxx")
                    .into_bytes(),
            ),
            ("headers without an end", format!("GET / HTTP/1.1\r\n{host}{many}").into_bytes()),
        ];
        for (what, bytes) in rows {
            let answer = talk(&scene, &bytes, true).await;
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{what}: {answer}");
        }
        let endless = format!("GET /{} HTTP/1.1\r\n{host}\r\n", "x".repeat(1 << 20));
        let answer = talk(&scene, endless.as_bytes(), true).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "an endless path: {answer}");
        // HTTP/2's preface, and then no HTTP/2.
        let answer =
            talk(&scene, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\njunk that is no frame at all", true).await;
        assert!(!answer.contains("HTTP/1.1 5"), "{answer}");
    };
    scene.unchanged(work).await;
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_call() {
    let scene = Scene::start().await;
    let work = async {
        for (what, more, body) in [
            ("shorter than said", "content-length: 100\r\n", "only this"),
            ("a chunk cut off", "transfer-encoding: chunked\r\n", "5\r\nhel"),
            ("no last chunk", "transfer-encoding: chunked\r\n", "5\r\nhello\r\n"),
            ("a chunk size that is none", "transfer-encoding: chunked\r\n", "zz\r\nhello\r\n0\r\n\r\n"),
            ("a chunk of all memory", "transfer-encoding: chunked\r\n", "ffffffffffffffff\r\nhello\r\n"),
            ("both framings", "content-length: 5\r\ntransfer-encoding: chunked\r\n", "hello"),
        ] {
            let answer = talk(&scene, format!("{}{body}", head(&scene, more)).as_bytes(), true).await;
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{what}: {answer}");
        }
    };
    scene.unchanged(work).await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_by_its_length_alone() {
    let scene = Scene::start().await;
    let work = async {
        let answer = talk(&scene, head(&scene, "content-length: 10000000000000\r\n").as_bytes(), false).await;
        assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("10000000000000"), "{answer}");
        assert!(
            answer.contains("\r\nconnection: close\r\n"),
            "the rest is not read, and the client is told: {answer}"
        );
    };
    scene.unchanged(work).await;
}

#[tokio::test]
async fn a_body_that_drips_or_stops_is_given_up_with_408() {
    let options = Server::options().set("gateway.body_idle=1s").set("gateway.body_timeout=2s");
    let scene = Scene::of(options.start().await).await;
    let work = async {
        let begun = Instant::now();
        let stopped =
            talk(&scene, format!("{}x", head(&scene, "content-length: 10\r\n")).as_bytes(), false).await;
        assert!(stopped.starts_with("HTTP/1.1 408") && stopped.contains("BodyTimeout"), "{stopped}");
        let mut stream = TcpStream::connect(("127.0.0.1", scene.server.port())).await.unwrap();
        stream.write_all(head(&scene, "content-length: 1000\r\n").as_bytes()).await.unwrap();
        let (mut reader, mut writer) = stream.split();
        let mut out = Vec::new();
        let drip = async {
            while writer.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = drip => {}
            read = within("an end", SOON, reader.read_to_end(&mut out)) => drop(read),
        }
        let dripped = String::from_utf8_lossy(&out);
        assert!(dripped.starts_with("HTTP/1.1 408"), "{dripped}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    };
    scene.unchanged(work).await;
}
