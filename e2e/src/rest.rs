//! REST as any client of HTTP/1.1 speaks it.

use crate::wait::{SOON, within};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::time::Duration;

/// Nothing that a test asks takes longer.
const LONGEST: Duration = Duration::from_secs(60);

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A client of one server, with or without a token. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Rest {
    base: String,
    token: Option<String>,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Rest {
    /// Without a token.
    pub fn new(base: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { base: base.to_owned(), token: None, client }
    }

    /// The same with a token by `POST /auth/token`.
    pub async fn login(&self, username: &str, password: &str) -> Self {
        let answer = self.post("/auth/token", &json!({"username": username, "password": password})).await;
        assert_eq!(answer.status, 200, "login failed: {answer:?}");
        self.with_token(answer.json()["token"].as_str().expect("a token"))
    }

    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    #[must_use]
    pub fn without_token(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// `http://127.0.0.1:PORT`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A request to be filled in: `rest.request("POST", "/v1/functions").json(&value).send().await`.
    pub fn request(&self, method: &str, path: &str) -> Call {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut headers = Vec::new();
        if let Some(token) = &self.token {
            headers.push(("authorization".to_owned(), format!("Bearer {token}")));
        }
        let uri = format!("{}{path}", self.base);
        Call { client: self.client.clone(), method, uri, headers, body: Bytes::new() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.request("GET", path).send().await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.request("DELETE", path).send().await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.request("POST", path).json(body).send().await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.request("PUT", path).json(body).send().await
    }

    /// Applies a function and fails the test where that is refused.
    pub async fn apply(&self, function: &Value) -> Value {
        let answer = self.post("/v1/functions", function).await;
        assert!(matches!(answer.status, 200 | 201), "apply of {function} answered {answer:?}");
        answer.json()
    }

    /// Invokes without waiting, and returns the id.
    pub async fn invoke_async(&self, name: &str, payload: impl Into<Bytes>) -> String {
        let answer = self.request("POST", &format!("/v1/functions/{name}:invoke")).body(payload).send().await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.json()["id"].as_str().expect("an id").to_owned()
    }

    /// Invokes and waits for the result.
    pub async fn invoke(&self, name: &str, payload: impl Into<Bytes>) -> Answer {
        self.request("POST", &format!("/v1/functions/{name}:invoke?wait=30s")).body(payload).send().await
    }

    /// The record of a call.
    pub async fn record(&self, id: &str) -> Value {
        let answer = self.get(&format!("/v1/invocations/{id}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// The record of a call once it has ended; fails where that takes longer than 30 s.
    pub async fn ended(&self, id: &str) -> Value {
        let answer = self.get(&format!("/v1/invocations/{id}?wait=30s")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let record = answer.json();
        let state = record["state"].as_str().unwrap_or_default();
        assert!(matches!(state, "SUCCEEDED" | "FAILED" | "CANCELLED"), "{id} has not ended: {record}");
        record
    }
}

/// A request that is not sent yet.
#[derive(Debug)]
#[must_use]
pub struct Call {
    client: Client<HttpConnector, Full<Bytes>>,
    method: Method,
    uri: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Call {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub fn json(self, value: &Value) -> Self {
        self.header("content-type", "application/json").body(value.to_string())
    }

    /// The whole answer; fails the test where there is none.
    pub async fn send(self) -> Answer {
        let what = format!("{} {}", self.method, self.uri);
        let answer = within(&what, LONGEST, self.try_send()).await;
        answer.unwrap_or_else(|error| panic!("{what}: {error:?}"))
    }

    /// The whole answer, or why there is none: a server may be killed in the middle of it.
    pub async fn try_send(self) -> Result<Answer, Error> {
        let response = self.respond().await?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    /// The head of the answer, and its body line by line.
    pub async fn stream(self) -> Stream {
        let what = format!("{} {}", self.method, self.uri);
        let response = within(&what, LONGEST, self.respond()).await;
        let response = response.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        let (parts, body) = response.into_parts();
        Stream { status: parts.status, headers: parts.headers, body, rest: BytesMut::new() }
    }

    async fn respond(self) -> Result<Response<Incoming>, Error> {
        let mut request = Request::builder().method(self.method).uri(self.uri);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        Ok(self.client.request(request.body(Full::new(self.body))?).await?)
    }
}

/// A whole answer.
#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// A header's value; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap_or("not text")).unwrap_or_default()
    }

    /// The body as JSON; fails the test where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON: {error}: {self:?}"))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The `reason` of a problem document; empty where this is none.
    pub fn reason(&self) -> String {
        let found: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        found["reason"].as_str().unwrap_or_default().to_owned()
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.text();
        let head: String = text.chars().take(2000).collect();
        write!(f, "{} {:?}\n{head}", self.status, self.headers)
    }
}

/// An answer whose body comes bit by bit.
#[derive(Debug)]
pub struct Stream {
    pub status: StatusCode,
    pub headers: HeaderMap,
    body: Incoming,
    rest: BytesMut,
}

impl Stream {
    /// The next line without its end; none at the end of the body. Fails after 20 s of silence.
    pub async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line = self.rest.split_to(end + 1);
                return Some(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            match self.chunk().await {
                Some(chunk) => self.rest.extend_from_slice(&chunk),
                None if self.rest.is_empty() => return None,
                None => return Some(String::from_utf8_lossy(&self.rest.split()).into_owned()),
            }
        }
    }

    /// The next line that is not empty, as JSON.
    pub async fn value(&mut self) -> Option<Value> {
        loop {
            let line = self.line().await?;
            if !line.is_empty() {
                let value = serde_json::from_str(&line);
                return Some(value.unwrap_or_else(|error| panic!("not JSON: {error}: {line}")));
            }
        }
    }

    /// The next bytes as they come.
    pub async fn chunk(&mut self) -> Option<Bytes> {
        loop {
            let frame = within("the next piece of a stream", SOON, self.body.frame()).await?;
            if let Ok(data) = frame.expect("the stream broke off").into_data() {
                return Some(data);
            }
        }
    }
}
