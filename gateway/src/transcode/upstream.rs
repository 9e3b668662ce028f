use super::codec::{DynamicCodec, Outgoing};
use super::table::Rpc;
use futures::Stream;
use prost_reflect::DynamicMessage;
use std::fmt;
use tonic::client::Grpc;
use tonic::{Request, Response, Status, Streaming};
use tower::util::{BoxCloneSyncService, ServiceExt as _};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Inner = BoxCloneSyncService<http::Request<tonic::body::Body>, http::Response<tonic::body::Body>, Status>;

/// The gRPC services behind the gateway: `tonic::service::Routes` in process, or a `tonic` channel.
#[derive(Clone)]
pub struct Upstream {
    inner: Inner,
    max_message: usize,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").finish_non_exhaustive()
    }
}

impl Upstream {
    /// `max_message` in bytes, both ways.
    pub fn new<S>(service: S, max_message: usize) -> Self
    where
        S: tower::Service<http::Request<tonic::body::Body>, Response = http::Response<tonic::body::Body>>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        Self {
            inner: BoxCloneSyncService::new(service.map_err(|error| Status::from_error(error.into()))),
            max_message,
        }
    }

    async fn client(&self) -> Result<Grpc<Inner>, Status> {
        let mut client = Grpc::new(self.inner.clone())
            .max_decoding_message_size(self.max_message)
            .max_encoding_message_size(self.max_message);
        client.ready().await.map_err(|error| {
            tracing::warn!(%error, "services are not there");
            Status::unavailable("the services cannot be reached")
        })?;
        Ok(client)
    }

    pub(super) async fn unary(
        &self,
        rpc: &Rpc,
        request: Request<DynamicMessage>,
    ) -> Result<Response<DynamicMessage>, Status> {
        let codec = DynamicCodec { output: rpc.descriptor.output() };
        self.client().await?.unary(request.map(Outgoing::Message), rpc.path.clone(), codec).await
    }

    pub(super) async fn server_streaming(
        &self,
        rpc: &Rpc,
        request: Request<DynamicMessage>,
    ) -> Result<Response<Streaming<DynamicMessage>>, Status> {
        let codec = DynamicCodec { output: rpc.descriptor.output() };
        self.client().await?.server_streaming(request.map(Outgoing::Message), rpc.path.clone(), codec).await
    }

    pub(super) async fn client_streaming(
        &self,
        rpc: &Rpc,
        request: Request<impl Stream<Item = Outgoing> + Send + 'static>,
    ) -> Result<Response<DynamicMessage>, Status> {
        let codec = DynamicCodec { output: rpc.descriptor.output() };
        self.client().await?.client_streaming(request, rpc.path.clone(), codec).await
    }
}
