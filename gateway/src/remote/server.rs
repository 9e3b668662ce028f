//! The api's side: its typed routes, for gateways that hold the key.

use super::{message_limit, wire};
use crate::deps::{InvokeApi, RawDownload, UrlApi};
use axum::Router;
use eventflow_auth::{PeerKey, unauthenticated};
use eventflow_domain::Result;
use eventflow_domain::error::Chain;
use eventflow_interconnect::PEER_HEADER;
use eventflow_proto::internal::gateway_service_server::{GatewayService, GatewayServiceServer};
use eventflow_proto::{internal, status};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use std::sync::Arc;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

/// The routes of `GatewayService`, to stand beside [`crate::router`]'s. `payload_limit` in bytes.
pub fn for_gateways<A>(api: Arc<A>, key: Arc<PeerKey>, payload_limit: u64) -> Router
where
    A: InvokeApi + UrlApi + 'static,
{
    let limit = message_limit(payload_limit);
    let service = GatewayServiceServer::new(Service { api, key })
        .max_decoding_message_size(limit)
        .max_encoding_message_size(limit);
    tonic::service::Routes::new(service).prepare().into_axum_router().reset_fallback()
}

#[derive(Debug)]
struct Service<A> {
    api: Arc<A>,
    key: Arc<PeerKey>,
}

impl<A> Service<A> {
    fn admit(&self, metadata: &MetadataMap) -> Result<()> {
        let token = metadata.get(PEER_HEADER).and_then(|token| token.to_str().ok());
        self.key.verify(token.ok_or_else(unauthenticated)?).map(drop)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn to_status(error: eventflow_domain::Error) -> Status {
    use eventflow_domain::ErrorKind::{Internal, Unavailable};
    if matches!(error.kind(), Internal | Unavailable) {
        tracing::warn!(error = %Chain(&error), reason = error.reason(), "request of a gateway failed");
    }
    status::to_status(&error)
}

#[tonic::async_trait]
impl<A: InvokeApi + UrlApi + 'static> GatewayService for Service<A> {
    async fn invoke(
        &self,
        request: Request<internal::InvokeRequest>,
    ) -> Result<Response<internal::InvokeResponse>, Status> {
        let answer = async {
            self.admit(request.metadata())?;
            self.api.invoke(wire::invoke_from_wire(request.into_inner())?).await
        };
        Ok(Response::new(wire::answer_to_wire(answer.await.map_err(to_status)?)))
    }

    type DownloadStream = BoxStream<'static, Result<internal::DownloadResponse, Status>>;

    async fn download(
        &self,
        request: Request<internal::DownloadRequest>,
    ) -> Result<Response<Self::DownloadStream>, Status> {
        let found = async {
            self.admit(request.metadata())?;
            let question: RawDownload = wire::download_from_request(request.into_inner())?;
            self.api.download(question).await
        };
        let found = found.await.map_err(to_status)?;
        let head = internal::DownloadResponse {
            content_type: found.content_type.as_deref().map(str::to_owned),
            size: i64::try_from(found.size).unwrap_or(i64::MAX),
            data: bytes::Bytes::new(),
        };
        let pieces = found.bytes.map(|piece| match piece {
            Ok(data) => Ok(internal::DownloadResponse { data, ..internal::DownloadResponse::default() }),
            Err(error) => {
                tracing::warn!(%error, "failed to read bytes of a record");
                Err(Status::unavailable("the bytes cannot be read"))
            }
        });
        Ok(Response::new(stream::once(async { Ok(head) }).chain(pieces).boxed()))
    }

    async fn admit_url(
        &self,
        request: Request<internal::AdmitUrlRequest>,
    ) -> Result<Response<internal::AdmitUrlResponse>, Status> {
        let admitted = async {
            self.admit(request.metadata())?;
            self.api.admit_url(wire::url_from_wire(request.into_inner())?).await
        };
        Ok(Response::new(wire::admission_to_wire(&admitted.await.map_err(to_status)?)))
    }
}
