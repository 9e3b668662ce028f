//! The rooms behind a gateway that is a process of its own: what HTTP carries and the public RPCs do not.
//!
//! ```text
//!   gateway: RemoteApi ──gRPC GatewayService──▶ api: for_gateways ──▶ InvokeApi, UrlApi of that process
//!                └──────HTTP, streamed────────▶ dispatcher (function URLs, once an api has admitted the call)
//! ```

mod server;
mod wire;

use crate::deps::{
    DoorApi, Download, DownloadApi, InvokeAnswer, InvokeApi, ProxyAnswer, ProxyApi, RawDownload, RawInvoke,
    RawProxy,
};
use async_trait::async_trait;
use eventflow_auth::Authenticator;
use eventflow_domain::{FunctionKey, Result};
use eventflow_interconnect::{Apis, PassHead, RemoteInvoker};
use eventflow_proto::internal::gateway_service_client::GatewayServiceClient;
use eventflow_proto::status;
use http::HeaderMap;
use http::header::AUTHORIZATION;
pub use server::for_gateways;
use std::fmt;
use std::sync::Arc;

/// Room in a message beside its payload.
const ENVELOPE: usize = 1 << 20;

fn message_limit(payload_limit: u64) -> usize {
    usize::try_from(payload_limit).unwrap_or(usize::MAX).saturating_add(ENVELOPE)
}

/// The apis and the dispatchers behind the gateway's typed routes.
pub struct RemoteApi {
    authenticator: Arc<Authenticator>,
    api: GatewayServiceClient<Apis>,
    dispatchers: Arc<RemoteInvoker>,
}

impl fmt::Debug for RemoteApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteApi").finish_non_exhaustive()
    }
}

impl RemoteApi {
    /// `authenticator` holds the installation's key; who has a token is told at this door, what they may by the apis.
    pub fn new(
        authenticator: Arc<Authenticator>,
        apis: Apis,
        dispatchers: Arc<RemoteInvoker>,
        payload_limit: u64,
    ) -> Self {
        let limit = message_limit(payload_limit);
        let api =
            GatewayServiceClient::new(apis).max_decoding_message_size(limit).max_encoding_message_size(limit);
        Self { authenticator, api, dispatchers }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn from_status(status: tonic::Status) -> eventflow_domain::Error {
    status::from_status(&status)
}

impl DoorApi for RemoteApi {
    fn admit(&self, rpc: &str, headers: &HeaderMap) -> Result<()> {
        self.authenticator.admit(rpc, headers).map(drop)
    }
}

#[async_trait]
impl InvokeApi for RemoteApi {
    async fn invoke(&self, request: RawInvoke) -> Result<InvokeAnswer> {
        let answer = self.api.clone().invoke(wire::invoke_to_wire(request)).await.map_err(from_status)?;
        wire::answer_from_wire(answer.into_inner())
    }
}

#[async_trait]
impl DownloadApi for RemoteApi {
    async fn download(&self, request: RawDownload) -> Result<Download> {
        let pieces =
            self.api.clone().download(wire::download_to_wire(&request)).await.map_err(from_status)?;
        let mut pieces = pieces.into_inner();
        let head = pieces.message().await.map_err(from_status)?;
        wire::download_from_wire(head.ok_or_else(|| wire::malformed("the download"))?, pieces)
    }
}

#[async_trait]
impl ProxyApi for RemoteApi {
    async fn proxy(&self, request: RawProxy) -> Result<ProxyAnswer> {
        let RawProxy { namespace, name, request: mut passed, authorization, trace, .. } = request;
        let asked = wire::url_to_wire(&namespace, &name, authorization.as_ref());
        let admitted = self.api.clone().admit_url(asked).await.map_err(from_status)?;
        let admitted = wire::admission_from_wire(admitted.into_inner())?;
        if let (true, Some(value)) = (admitted.public, authorization) {
            passed.headers.insert(AUTHORIZATION, value);
        }
        let head = PassHead {
            id: admitted.id,
            function: FunctionKey::new(namespace, name),
            uid: admitted.uid,
            caller: admitted.caller,
            trace,
        };
        let response = self.dispatchers.pass(&head, passed).await?;
        Ok(ProxyAnswer { id: admitted.id, version: admitted.version, response })
    }
}
