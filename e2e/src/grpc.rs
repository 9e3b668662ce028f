//! gRPC by generated clients, and grpc-web by hand.

use crate::rest::{Answer, Rest};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use eventflow_proto::v1::artifact_service_client::ArtifactServiceClient;
use eventflow_proto::v1::auth_service_client::AuthServiceClient;
use eventflow_proto::v1::config_service_client::ConfigServiceClient;
use eventflow_proto::v1::function_service_client::FunctionServiceClient;
use eventflow_proto::v1::invocation_service_client::InvocationServiceClient;
use prost::Message;
use std::collections::BTreeMap;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

const MAX_MESSAGE: usize = 80 << 20;

/// Adds the token to each call.
#[derive(Debug, Clone)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

type Service = InterceptedService<Channel, Bearer>;

/// A connection with or without a token. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Grpc {
    channel: Channel,
    service: Service,
}

macro_rules! services {
    ($($name:ident: $client:ident),+) => {$(
        pub fn $name(&self) -> $client<Service> {
            $client::new(self.service.clone())
                .max_decoding_message_size(MAX_MESSAGE)
                .max_encoding_message_size(MAX_MESSAGE)
        }
    )+};
}

impl Grpc {
    services!(
        functions: FunctionServiceClient,
        invocations: InvocationServiceClient,
        artifacts: ArtifactServiceClient,
        auth: AuthServiceClient,
        configs: ConfigServiceClient
    );

    /// Connects; fails the test where nobody answers.
    pub async fn connect(url: &str, token: Option<String>) -> Self {
        let channel =
            Endpoint::from_shared(url.to_owned()).unwrap().connect().await.expect("a gRPC connection");
        Self::over(channel, token)
    }

    fn over(channel: Channel, token: Option<String>) -> Self {
        let token = token.map(|token| format!("Bearer {token}").parse().unwrap());
        Self { service: InterceptedService::new(channel.clone(), Bearer(token)), channel }
    }

    /// The same connection with another token, or none.
    #[must_use]
    pub fn with_token(&self, token: Option<String>) -> Self {
        Self::over(self.channel.clone(), token)
    }

    /// The connection itself, for calls that no generated client makes.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }
}

/// What a grpc-web call answered.
#[derive(Debug)]
pub struct WebAnswer<T> {
    pub messages: Vec<T>,
    /// The trailers, or the headers of an answer that has nothing else.
    pub trailers: BTreeMap<String, String>,
    pub http: Answer,
}

/// The body of a grpc-web request: one message in a frame.
pub fn web_frame(message: &impl Message) -> Bytes {
    let mut body = BytesMut::new();
    body.put_u8(0);
    body.put_u32(message.encoded_len() as u32);
    message.encode(&mut body).unwrap();
    body.freeze()
}

/// One grpc-web call over HTTP/1.1, unary or streaming to its end.
pub async fn web<T: Message + Default>(rest: &Rest, method: &str, message: &impl Message) -> WebAnswer<T> {
    let call = rest.request("POST", method).header("content-type", "application/grpc-web+proto");
    let http = call.header("x-grpc-web", "1").body(web_frame(message)).send().await;
    let (messages, mut trailers) = web_frames(http.body.clone());
    for (name, value) in &http.headers {
        if name.as_str().starts_with("grpc-") {
            trailers.insert(name.to_string(), value.to_str().unwrap().to_owned());
        }
    }
    WebAnswer { messages, trailers, http }
}

/// Takes frames apart: messages, and the trailers of the last frame.
pub fn web_frames<T: Message + Default>(mut body: Bytes) -> (Vec<T>, BTreeMap<String, String>) {
    let mut messages = Vec::new();
    let mut trailers = BTreeMap::new();
    while body.remaining() >= 5 {
        let flags = body.get_u8();
        let frame = body.get_u32() as usize;
        let frame = body.split_to(frame);
        if flags & 0x80 == 0 {
            messages.push(T::decode(frame).unwrap());
            continue;
        }
        for line in String::from_utf8_lossy(&frame).lines() {
            let (name, value) = line.split_once(':').expect("a trailer has a name");
            trailers.insert(name.trim().to_owned(), value.trim().to_owned());
        }
    }
    assert!(!body.has_remaining(), "bytes behind the last frame: {body:?}");
    (messages, trailers)
}
