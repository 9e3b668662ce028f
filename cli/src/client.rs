//! A connection to a server.

use crate::args::Target;
use crate::credentials;
use crate::exit::{Failure, Result, causes, unreachable};
use eventflow_proto::v1::artifact_service_client::ArtifactServiceClient;
use eventflow_proto::v1::auth_service_client::AuthServiceClient;
use eventflow_proto::v1::config_service_client::ConfigServiceClient;
use eventflow_proto::v1::function_service_client::FunctionServiceClient;
use eventflow_proto::v1::invocation_service_client::InvocationServiceClient;
use std::time::Duration;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

/// No command waits longer than this to learn that there is no server.
const CONNECT: Duration = Duration::from_secs(5);
/// A server that is silent for so long while something is asked of it is pinged,
const PING_AFTER: Duration = Duration::from_secs(5);
/// and given up where it does not answer that for so long.
const PING_ANSWER: Duration = Duration::from_secs(10);
const MAX_MESSAGE: usize = 80 << 20;

#[derive(Debug, Clone)]
pub(crate) struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

type Service = InterceptedService<Channel, Bearer>;

#[derive(Debug, Clone)]
pub(crate) struct Client {
    service: Service,
    pub(crate) url: String,
    pub(crate) namespace: String,
}

macro_rules! services {
    ($($name:ident: $client:ident),+) => {$(
        pub(crate) fn $name(&self) -> $client<Service> {
            $client::new(self.service.clone())
                .max_decoding_message_size(MAX_MESSAGE)
                .max_encoding_message_size(MAX_MESSAGE)
        }
    )+};
}

impl Client {
    services!(
        functions: FunctionServiceClient,
        invocations: InvocationServiceClient,
        artifacts: ArtifactServiceClient,
        auth: AuthServiceClient,
        configs: ConfigServiceClient
    );

    /// Connects as whoever is logged in; fails at once where there is no server.
    pub(crate) async fn connect(target: &Target) -> Result<Self> {
        let token = credentials::load(target.url.trim_end_matches('/'));
        Self::with_token(target, token).await
    }

    pub(crate) async fn with_token(target: &Target, token: Option<String>) -> Result<Self> {
        let url = target.url.trim_end_matches('/').to_owned();
        let bad_url = |cause: &str| {
            Failure::new(Failure::CONFIG, format!("EVENTFLOW_URL {url:?} is not usable: {cause}"))
        };
        if !url.starts_with("http://") {
            return Err(bad_url("it must start with http:// (put a TLS proxy in front of it for https)"));
        }
        let endpoint = Endpoint::from_shared(url.clone()).map_err(|error| bad_url(&causes(&error)))?;
        let endpoint = endpoint
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(PING_AFTER)
            .keep_alive_timeout(PING_ANSWER)
            .tcp_nodelay(true)
            .user_agent(concat!("eventflow/", env!("CARGO_PKG_VERSION")));
        let endpoint = endpoint.map_err(|error| bad_url(&causes(&error)))?;
        let channel = endpoint
            .connect()
            .await
            .map_err(|error| Failure::new(Failure::UNAVAILABLE, unreachable(&url, &causes(&error))))?;
        let token = token.map(|token| format!("Bearer {token}").parse());
        let token = token
            .transpose()
            .map_err(|_| Failure::new(Failure::NO_PERMISSION, "EVENTFLOW_TOKEN is not a token"))?;
        let service = InterceptedService::new(channel, Bearer(token));
        Ok(Self { service, url, namespace: target.namespace.clone() })
    }

    /// The failure that a status means.
    pub(crate) fn failed(&self) -> impl Fn(Status) -> Failure + Copy + use<'_> {
        |status| Failure::from_status(&self.url, &status)
    }
}
