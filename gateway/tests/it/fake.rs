//! Services that answer with what they were asked, and a gateway before them.

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use eventflow_auth::PeerKey;
use eventflow_domain::ports::HttpResponse;
use eventflow_domain::{
    Error, ErrorKind, FunctionUid, InvocationId, Result, StartKind, State, Timestamp, VersionNumber,
};
use eventflow_gateway::{
    Deps, DoorApi, Download, DownloadApi, GatewayConfig, InvokeAnswer, InvokeApi, ProxyAnswer, ProxyApi,
    RawDownload, RawInvoke, RawProxy, RawUrl, Services, UrlAdmission, UrlApi,
};
use eventflow_lifecycle::{CancellationToken, Health};
use eventflow_proto::status::to_status;
use eventflow_proto::v1::artifact_service_server::{ArtifactService, ArtifactServiceServer};
use eventflow_proto::v1::function_service_server::{FunctionService, FunctionServiceServer};
use eventflow_proto::v1::{self, *};
use eventflow_telemetry::Metrics;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tonic::{Response, Status, Streaming};
use tower::ServiceExt as _;

/// Namespace and content type of the first message, bytes in all, bytes of the largest message; or the error.
pub(crate) type Uploaded = std::result::Result<(String, usize, usize), String>;

#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) applied: Mutex<Vec<ApplyFunctionRequest>>,
    pub(crate) listed: Mutex<Vec<ListFunctionsRequest>>,
    pub(crate) metadata: Mutex<Vec<HeaderMap>>,
    pub(crate) invoked: Mutex<Vec<RawInvoke>>,
    pub(crate) uploads: Mutex<Vec<Uploaded>>,
    pub(crate) admitted: Mutex<Vec<String>>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Fake(pub(crate) Arc<Seen>);

fn function(name: &str) -> v1::Function {
    v1::Function {
        name: name.to_owned(),
        namespace: "default".to_owned(),
        runtime: Runtime::Process.into(),
        state: FunctionState::Ready.into(),
        version: Some(3),
        generation: Some(7),
        etag: "u-7".to_owned(),
        ..v1::Function::default()
    }
}

type Answer<T> = std::result::Result<Response<T>, Status>;

#[tonic::async_trait]
impl FunctionService for Fake {
    async fn apply_function(
        &self,
        request: tonic::Request<ApplyFunctionRequest>,
    ) -> Answer<ApplyFunctionResponse> {
        self.0.metadata.lock().unwrap().push(request.metadata().clone().into_headers());
        let request = request.into_inner();
        let declared = request.function.clone().unwrap_or_default();
        let name = if request.name.is_empty() { declared.name.clone() } else { request.name.clone() };
        self.0.applied.lock().unwrap().push(request.clone());
        if request.etag == "stale" {
            let error =
                Error::new(ErrorKind::PreconditionFailed, "PreconditionFailed", "the etag is another");
            return Err(to_status(&error.with_metadata("version", 3)));
        }
        let created = !name.starts_with("old");
        Ok(Response::new(ApplyFunctionResponse { function: Some(function(&name)), created, changed: true }))
    }

    async fn list_functions(
        &self,
        request: tonic::Request<ListFunctionsRequest>,
    ) -> Answer<ListFunctionsResponse> {
        self.0.listed.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ListFunctionsResponse::default()))
    }

    async fn get_function(&self, request: tonic::Request<GetFunctionRequest>) -> Answer<GetFunctionResponse> {
        self.0.metadata.lock().unwrap().push(request.metadata().clone().into_headers());
        match request.into_inner().name.as_str() {
            "none" => Err(to_status(&Error::function_not_found(&"none".parse().unwrap()))),
            "panics" => panic!("on purpose"),
            "slow" => {
                tokio::time::sleep(Duration::from_secs(5)).await;
                Err(Status::internal("too late"))
            }
            "busy" => {
                let error = Error::new(ErrorKind::Exhausted, "QueueFull", "the queue is full");
                Err(to_status(&error.with_retry_after(Duration::from_millis(2500))))
            }
            name => {
                let mut response = Response::new(GetFunctionResponse { function: Some(function(name)) });
                response.metadata_mut().insert("eventflow-note", "hello".parse().unwrap());
                response.metadata_mut().insert("x-internal", "secret".parse().unwrap());
                Ok(response)
            }
        }
    }

    async fn delete_function(
        &self,
        _: tonic::Request<DeleteFunctionRequest>,
    ) -> Answer<DeleteFunctionResponse> {
        Ok(Response::new(DeleteFunctionResponse { cancelled: 9_007_199_254_740_993 }))
    }

    async fn invoke_function(
        &self,
        _: tonic::Request<InvokeFunctionRequest>,
    ) -> Answer<InvokeFunctionResponse> {
        Err(Status::internal("the typed route should have answered"))
    }

    async fn pause_function(
        &self,
        request: tonic::Request<PauseFunctionRequest>,
    ) -> Answer<PauseFunctionResponse> {
        let error = Error::new(ErrorKind::WrongState, "FunctionPaused", "is paused");
        match request.into_inner().name.as_str() {
            "paused" => Err(to_status(&error.with_metadata("state", "PAUSED"))),
            name => Ok(Response::new(PauseFunctionResponse { function: Some(function(name)) })),
        }
    }

    async fn resume_function(
        &self,
        _: tonic::Request<ResumeFunctionRequest>,
    ) -> Answer<ResumeFunctionResponse> {
        Err(Status::unavailable(""))
    }

    async fn rollback_function(
        &self,
        _: tonic::Request<RollbackFunctionRequest>,
    ) -> Answer<RollbackFunctionResponse> {
        Err(Status::unauthenticated("the token is not valid"))
    }

    async fn list_versions(&self, _: tonic::Request<ListVersionsRequest>) -> Answer<ListVersionsResponse> {
        Err(Status::permission_denied("functions.read"))
    }

    type StreamLogsStream = BoxStream<'static, std::result::Result<StreamLogsResponse, Status>>;

    async fn stream_logs(
        &self,
        request: tonic::Request<StreamLogsRequest>,
    ) -> Answer<Self::StreamLogsStream> {
        let authorization = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        let text = authorization.unwrap_or("anonymous").to_owned();
        let request = request.into_inner();
        let line = move |seq| LogLine { attempt: 1, seq, text: text.clone(), ..LogLine::default() };
        let line = move |seq| Ok(StreamLogsResponse { line: Some(line(seq)), heartbeat: false });
        let heartbeat = || Ok(StreamLogsResponse { line: None, heartbeat: true });
        let lines = futures::stream::iter([line(1), line(2)]);
        Ok(Response::new(match request.name.as_str() {
            "none" => return Err(to_status(&Error::function_not_found(&"none".parse().unwrap()))),
            "breaks" => lines.chain(futures::stream::iter([Err(Status::unavailable("gone"))])).boxed(),
            "quiet" => futures::stream::iter([heartbeat(), line(1)]).boxed(),
            _ if request.follow => lines.chain(futures::stream::pending()).boxed(),
            _ => lines.boxed(),
        }))
    }

    type WatchFunctionsStream = BoxStream<'static, std::result::Result<WatchFunctionsResponse, Status>>;

    async fn watch_functions(
        &self,
        request: tonic::Request<WatchFunctionsRequest>,
    ) -> Answer<Self::WatchFunctionsStream> {
        let token = format!("{}+1", request.into_inner().resume_token);
        let event = WatchFunctionsResponse {
            r#type: WatchEventType::Changed.into(),
            function: Some(function("hello")),
            resume_token: token,
        };
        Ok(Response::new(futures::stream::iter([Ok(event)]).boxed()))
    }

    type WatchStatsStream = BoxStream<'static, std::result::Result<WatchStatsResponse, Status>>;

    async fn watch_stats(&self, _: tonic::Request<WatchStatsRequest>) -> Answer<Self::WatchStatsStream> {
        Err(Status::unimplemented("not faked"))
    }

    async fn get_function_metrics(
        &self,
        _: tonic::Request<GetFunctionMetricsRequest>,
    ) -> Answer<GetFunctionMetricsResponse> {
        Err(Status::unimplemented("not faked"))
    }
}

#[tonic::async_trait]
impl ArtifactService for Fake {
    async fn upload_artifact(
        &self,
        request: tonic::Request<Streaming<UploadArtifactRequest>>,
    ) -> Answer<UploadArtifactResponse> {
        let mut chunks = request.into_inner();
        let (mut first, mut size, mut largest) = (None, 0, 0);
        loop {
            match chunks.message().await {
                Ok(Some(message)) => {
                    let chunk = message.chunk.unwrap_or_default();
                    first.get_or_insert_with(|| format!("{}|{}", message.namespace, chunk.content_type));
                    size += chunk.data.len();
                    largest = largest.max(chunk.data.len());
                }
                Ok(None) => break,
                Err(status) => {
                    self.0.uploads.lock().unwrap().push(Err(status.message().to_owned()));
                    return Err(status);
                }
            }
        }
        self.0.uploads.lock().unwrap().push(Ok((first.unwrap_or_default(), size, largest)));
        Ok(Response::new(UploadArtifactResponse { digest: "sha256:00".to_owned(), size: size as i64 }))
    }
}

impl DoorApi for Fake {
    /// Keeps out who says so.
    fn admit(&self, rpc: &str, headers: &HeaderMap) -> Result<()> {
        if let Ok(mut admitted) = self.0.admitted.lock() {
            admitted.push(rpc.to_owned());
        }
        match headers.get("authorization") {
            Some(token) if token == "Bearer wrong" => Err(eventflow_auth::unauthenticated()),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl DownloadApi for Fake {
    async fn download(&self, request: RawDownload) -> Result<Download> {
        crate::downloads::answer(&request)
    }
}

#[async_trait]
impl InvokeApi for Fake {
    async fn invoke(&self, request: RawInvoke) -> Result<InvokeAnswer> {
        self.0.invoked.lock().unwrap().push(request.clone());
        crate::invoke::answer(&request)
    }
}

#[async_trait]
impl UrlApi for Fake {
    async fn admit_url(&self, request: RawUrl) -> Result<UrlAdmission> {
        if request.name.as_str() == "none" {
            return Err(Error::function_not_found(&request.name));
        }
        Ok(UrlAdmission {
            id: InvocationId::generate(),
            uid: FunctionUid::generate(),
            version: VersionNumber(2),
            caller: "somebody".into(),
            public: false,
        })
    }
}

#[async_trait]
impl ProxyApi for Fake {
    async fn proxy(&self, request: RawProxy) -> Result<ProxyAnswer> {
        let response = crate::functions::answer(request)?;
        Ok(ProxyAnswer { id: InvocationId::generate(), version: VersionNumber(2), response })
    }
}

pub(crate) fn response(status: StatusCode, headers: HeaderMap, body: Vec<Bytes>) -> HttpResponse {
    HttpResponse {
        start: StartKind::Warm,
        started_at: Timestamp::default(),
        status,
        headers,
        body: futures::stream::iter(body.into_iter().map(Ok)).boxed(),
        upgraded: None,
    }
}

pub(crate) fn accepted() -> InvokeAnswer {
    let (id, version) = (InvocationId::generate(), VersionNumber(2));
    InvokeAnswer::Accepted { id, state: State::Queued, version, attempt: 0 }
}

/// Starts a task of a test.
#[expect(clippy::disallowed_methods, reason = "ends with its test's runtime")]
pub(crate) fn start<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(task)
}

/// A gateway over the fake, and what it tells.
pub(crate) struct Gateway {
    pub(crate) router: Router,
    pub(crate) fake: Fake,
    pub(crate) health: Health,
    pub(crate) draining: CancellationToken,
    pub(crate) metrics: Metrics,
}

pub(crate) fn gateway() -> Gateway {
    gateway_with(GatewayConfig::default())
}

/// With this as its UI.
pub(crate) fn gateway_for(ui: Option<Router>) -> Gateway {
    gateway_of(GatewayConfig::default(), ui)
}

pub(crate) fn gateway_with(config: GatewayConfig) -> Gateway {
    gateway_of(config, None)
}

fn gateway_of(config: GatewayConfig, ui: Option<Router>) -> Gateway {
    let fake = Fake::default();
    let shared = Arc::new(fake.clone());
    Gateway::with(config, local(&fake), (shared.clone(), shared), fake, (None, ui))
}

fn local(fake: &Fake) -> Services {
    let services = tonic::service::Routes::new(FunctionServiceServer::new(fake.clone()));
    services.add_service(ArtifactServiceServer::new(fake.clone())).into()
}

/// Over this fake; `peers` is the key of gateways in front of it.
pub(crate) fn gateway_over(config: GatewayConfig, fake: Fake, peers: Option<Arc<PeerKey>>) -> Gateway {
    let shared = Arc::new(fake.clone());
    Gateway::with(config, local(&fake), (shared.clone(), shared), fake, (peers, None))
}

impl Gateway {
    /// Over services of another process.
    pub(crate) fn build<A: InvokeApi + ProxyApi + 'static>(
        config: GatewayConfig,
        services: Services,
        api: A,
    ) -> Self {
        let api = Arc::new(api);
        Self::with(config, services, (api.clone(), api), Fake::default(), (None, None))
    }

    fn with(
        config: GatewayConfig,
        services: Services,
        (invoke, proxy): (Arc<dyn InvokeApi>, Arc<dyn ProxyApi>),
        fake: Fake,
        (peers, fallback): (Option<Arc<PeerKey>>, Option<Router>),
    ) -> Self {
        let (health, draining, metrics) = (Health::new(), CancellationToken::new(), Metrics::new());
        let deps = Deps {
            invoke,
            proxy,
            health: health.clone(),
            metrics: metrics.clone(),
            draining: draining.clone(),
            peers,
            fallback,
        };
        let router = eventflow_gateway::router(config, services, deps).expect("a router");
        Self { router, fake, health, draining, metrics }
    }
}

pub(crate) fn request(method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).header("host", "localhost")
}

pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Got {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

impl Gateway {
    pub(crate) async fn send(&self, request: Request<Body>) -> Got {
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Got { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub(crate) async fn json(&self, method: &str, path: &str, body: impl Into<Body>) -> Got {
        let request = request(method, path).header("content-type", "application/json");
        self.send(request.body(body.into()).expect("a request")).await
    }

    pub(crate) async fn get(&self, path: &str) -> Got {
        self.send(request("GET", path).body(Body::empty()).expect("a request")).await
    }
}

impl Gateway {
    /// Whether a request was counted under a route.
    pub(crate) fn counted(&self, route: &str) -> bool {
        self.metrics.encode().contains(&format!("route=\"{route}\""))
    }
}
