//! InvokeFunction over gRPC.

use super::Caller;
use anyhow::{Context as _, Result};
use bytes::Bytes;
use eventflow_proto::v1::InvokeFunctionRequest;
use eventflow_proto::v1::function_service_client::FunctionServiceClient;
use eventflow_proto::{api, prost_types};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};

/// Calls that share a connection.
const PER_CONNECTION: usize = 16;

#[derive(Debug, Clone)]
pub(crate) struct GrpcCaller {
    client: FunctionServiceClient<Channel>,
    request: InvokeFunctionRequest,
    authorization: MetadataValue<Ascii>,
}

impl GrpcCaller {
    /// Callers of a function that shall start after `delay_seconds`.
    pub(crate) async fn connect_all(
        address: &str,
        function: &str,
        token: &str,
        body: Bytes,
        delay_seconds: i64,
        count: usize,
    ) -> Result<Vec<Self>> {
        let content_type = "application/octet-stream".to_owned();
        let request = InvokeFunctionRequest {
            name: function.to_owned(),
            payload: Some(api::HttpBody { content_type, data: body, extensions: Vec::new() }),
            delay: Some(prost_types::Duration { seconds: delay_seconds, nanos: 0 }),
            ..InvokeFunctionRequest::default()
        };
        let authorization: MetadataValue<Ascii> = format!("Bearer {token}").parse()?;
        let mut callers = Vec::with_capacity(count);
        while callers.len() < count {
            let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
            let channel = endpoint.connect().await.with_context(|| format!("failed to reach {address}"))?;
            let client = FunctionServiceClient::new(channel);
            let one = Self { client, request: request.clone(), authorization: authorization.clone() };
            let here = PER_CONNECTION.min(count - callers.len());
            callers.extend(std::iter::repeat_n(one, here));
        }
        Ok(callers)
    }
}

impl Caller for GrpcCaller {
    async fn call(&mut self) -> Result<bool> {
        let mut request = tonic::Request::new(self.request.clone());
        request.metadata_mut().insert("authorization", self.authorization.clone());
        Ok(self.client.invoke_function(request).await.is_ok_and(|answer| !answer.into_inner().id.is_empty()))
    }
}
