//! A unary call over tonic that is answered when its row is durable.

use super::store::{NewRow, Store};
use anyhow::Result;
use eventflow_proto::v1::{InvocationState, InvokeFunctionRequest, InvokeFunctionResponse};
use futures::future::BoxFuture;
use std::convert::Infallible;
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower_service::Service;

pub(super) async fn serve(listener: TcpListener, store: Store) -> Result<()> {
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Ok(Server::builder().add_service(Accept(store)).serve_with_incoming(incoming).await?)
}

/// The one method; what `tonic` generates for a service, without the others.
#[derive(Debug, Clone)]
struct Accept(Store);

impl NamedService for Accept {
    const NAME: &'static str = "eventflow.v1.FunctionService";
}

impl Service<http::Request<Body>> for Accept {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let method = Method(self.0.clone());
        Box::pin(async move { Ok(Grpc::new(ProstCodec::default()).unary(method, request).await) })
    }
}

struct Method(Store);

impl UnaryService<InvokeFunctionRequest> for Method {
    type Response = InvokeFunctionResponse;
    type Future = BoxFuture<'static, Result<Response<InvokeFunctionResponse>, Status>>;

    fn call(&mut self, request: Request<InvokeFunctionRequest>) -> Self::Future {
        let store = self.0.clone();
        Box::pin(async move {
            let request = request.into_inner();
            let payload = request.payload.unwrap_or_default();
            let row = NewRow::now(request.name, payload.content_type, payload.data);
            let id = row.id.to_string();
            store.insert(row).await.map_err(|_| Status::unavailable("the store is closed"))?;
            let state = InvocationState::Queued.into();
            Ok(Response::new(InvokeFunctionResponse { id, state, ..InvokeFunctionResponse::default() }))
        })
    }
}
