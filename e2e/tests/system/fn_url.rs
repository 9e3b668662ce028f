use eventflow_e2e::support::{echo, server as server_function};
use eventflow_e2e::wait::{SOON, within};
use eventflow_e2e::{Answer, Server};
use futures::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::time::Duration;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};

fn seen(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn a_url_passes_method_path_query_headers_and_body_on() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&server_function("web", json!({}))).await;
    let call = rest
        .request("PUT", "/fn/default/web/deep/path?a=1&b=%20x")
        .header("x-mine", "yes")
        .header("cookie", "theirs=1");
    let answer = call.body("sent").send().await;
    let told = seen(&answer);
    assert_eq!(
        (&told["method"], &told["path"], &told["body"]),
        (&json!("PUT"), &json!("/deep/path?a=1&b=%20x"), &json!("sent"))
    );
    let headers = &told["headers"];
    assert_eq!(headers["x-mine"], "yes");
    assert!(headers.get("authorization").is_none(), "our token never reaches user code: {headers}");
    assert_eq!(headers["x-forwarded-prefix"], "/fn/default/web", "{headers}");
    assert!(headers["x-forwarded-for"].as_str().is_some_and(|from| from.contains("127.0.0.1")), "{headers}");
    assert!(headers["traceparent"].is_string(), "{headers}");

    assert!(answer.header("content-security-policy").contains("sandbox"), "{answer:?}");
    assert_eq!((answer.header("strict-transport-security"), answer.header("x-own")), ("", "kept"));
    let id = answer.header("eventflow-invocation-id").to_owned();
    let record = rest.ended(&id).await;
    assert_eq!(
        (&record["source"], &record["state"], &record["httpStatus"]),
        (&json!("URL"), &json!("SUCCEEDED"), &json!(200)),
        "{record}"
    );

    let root = seen(&rest.get("/fn/default/web").await);
    assert_eq!(root["path"], "/", "{root}");
    let head = rest.request("HEAD", "/fn/default/web/x").send().await;
    assert_eq!((head.status, head.body.len()), (200, 0), "{head:?}");
    let own = rest.request("POST", "/fn/default/web/status").body("418").send().await;
    assert_eq!((own.status, own.text().as_str()), (418, "as you wish"), "{own:?}");
}

#[tokio::test]
async fn bodies_are_streamed_both_ways() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&server_function("web", json!({}))).await;
    seen(&rest.get("/fn/default/web/").await);
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let (pieces, body) = futures::channel::mpsc::channel::<Result<Frame<bytes::Bytes>, Infallible>>(1);
    let request = http::Request::post("/fn/default/web/echo-stream").header("host", "127.0.0.1");
    let request = request.header("authorization", format!("Bearer {}", rest.token().unwrap()));
    let request = request.body(StreamBody::new(body)).unwrap();
    let talk = async {
        let mut pieces = pieces;
        let mut send = async |text: &'static str| pieces.send(Ok(Frame::data(text.into()))).await.unwrap();
        let answering = sender.send_request(request);
        let (answer, ()) = tokio::join!(answering, send("first "));
        let mut answer = answer.unwrap();
        assert_eq!(answer.status(), 200);
        let mut back = async || {
            let mut got = Vec::new();
            while !got.ends_with(b" ") {
                let frame = within("a piece", SOON, answer.body_mut().frame()).await.expect("more").unwrap();
                got.extend_from_slice(&frame.into_data().expect("data"));
            }
            String::from_utf8(got).unwrap()
        };
        assert_eq!(back().await, "FIRST ", "the answer begins before the request has ended");
        send("second ").await;
        assert_eq!(back().await, "SECOND ");
    };
    tokio::select! {
        () = within("the talk", SOON, talk) => {}
        ended = connection => panic!("the connection ended: {ended:?}"),
    }
}

#[tokio::test]
async fn a_websocket_passes_through_to_the_function() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&server_function("web", json!({"url": "public"}))).await;
    let url = format!("ws://127.0.0.1:{}/fn/default/web/socket", server.port());
    let (mut socket, _) =
        within("a socket", SOON, tokio_tungstenite::connect_async(url.as_str())).await.unwrap();
    for text in ["one", "two"] {
        socket.send(Message::text(text)).await.unwrap();
        let back = within("an echo", SOON, socket.next()).await.unwrap().unwrap();
        assert_eq!(back.into_text().unwrap().as_str(), format!("echo: {text}"));
    }
    socket.close(None).await.unwrap();
    while within("the close", SOON, socket.next()).await.is_some_and(|next| next.is_ok()) {}

    let mut foreign = url.as_str().into_client_request().unwrap();
    foreign.headers_mut().insert("origin", "https://evil.example".parse().unwrap());
    let refused = tokio_tungstenite::connect_async(foreign).await.unwrap_err().to_string();
    assert!(refused.contains("403"), "no CORS guards a WebSocket, so the origin is checked: {refused}");
}

#[tokio::test]
async fn a_private_url_asks_for_a_token_and_a_public_one_does_not() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&server_function("private", json!({}))).await;
    rest.apply(&server_function("public", json!({"url": "public"}))).await;
    let anonymous = rest.without_token();
    let refused = anonymous.get("/fn/default/private/").await;
    assert_eq!((refused.status, refused.reason().as_str()), (401, "Unauthenticated"), "{refused:?}");
    let hidden = anonymous.get("/fn/default/nobody/").await;
    assert_eq!(hidden.status, 401, "whether a function exists is not told: {hidden:?}");
    let open = seen(&anonymous.get("/fn/default/public/").await);
    assert_eq!(open["method"], "GET");
    let theirs =
        anonymous.request("GET", "/fn/default/public/").header("authorization", "Basic dTpw").send().await;
    assert_eq!(
        seen(&theirs)["headers"]["authorization"],
        "Basic dTpw",
        "a public function has logins of its own"
    );
}

#[tokio::test]
async fn what_has_no_url_is_404_or_409_and_a_function_that_breaks_502() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&echo("job")).await;
    let unknown = rest.get("/fn/default/nobody/").await;
    assert_eq!((unknown.status, unknown.reason().as_str()), (404, "FunctionNotFound"), "{unknown:?}");
    let job = rest.get("/fn/default/job/").await;
    assert_eq!(job.status, 409, "{job:?}");
    rest.apply(&server_function("web", json!({}))).await;
    rest.request("POST", "/v1/functions/web:pause").send().await;
    let paused = rest.get("/fn/default/web/").await;
    assert_eq!((paused.status, paused.reason().as_str()), (409, "FunctionPaused"), "{paused:?}");

    let broken = json!({
        "name": "broken", "runtime": "process", "mode": "http", "port": 80, "startDeadline": "1s",
        "command": ["/bin/sh", "-c", "echo cannot start >&2; exit 7"],
    });
    rest.apply(&broken).await;
    let call = rest.request("GET", "/fn/default/broken/").send();
    let answer = within("an answer", Duration::from_secs(30), call).await;
    assert!(
        matches!(answer.status, 502..=504) && answer.header("content-type") == "application/problem+json",
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_warm_function_is_invoked_with_the_payload_as_its_body() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&server_function("web", json!({}))).await;
    let told = seen(&rest.invoke("web", "payload").await);
    assert_eq!(
        (&told["method"], &told["path"], &told["body"]),
        (&json!("POST"), &json!("/"), &json!("payload"))
    );
    let headers = &told["headers"];
    for name in ["ce-id", "ce-source", "ce-type", "ce-specversion", "traceparent"] {
        assert!(headers[name].is_string(), "{name} is not in {headers}");
    }
    let again = rest.invoke("web", "2").await;
    let record = rest.ended(again.header("eventflow-invocation-id")).await;
    assert_eq!(record["attempts"][0]["start"], "WARM", "{record}");
    let refused = rest.request("POST", "/v1/functions/web:invoke?wait=20s").body("x").send().await;
    assert_eq!(refused.status, 200);
}
