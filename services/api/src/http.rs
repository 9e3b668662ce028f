//! The gateway's typed routes: the hot path of `:invoke`, and functions' own URLs.

use crate::app::{App, InvokeAnswer as Answer, InvokeRequest};
use async_trait::async_trait;
use eventflow_auth::{Authenticator, bearer, unauthenticated};
use eventflow_domain::access::Caller;
use eventflow_domain::invocation::Content;
use eventflow_domain::{FunctionKey, Result};
use eventflow_gateway::{
    DoorApi, Download, DownloadApi, InvokeAnswer, InvokeApi, ProxyAnswer, ProxyApi, RawDownload, RawInvoke,
    RawProxy, RawUrl, Recorded, UrlAdmission, UrlApi,
};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use std::sync::Arc;

/// The app behind the gateway's typed routes.
#[derive(Debug, Clone)]
pub struct Http {
    app: Arc<App>,
    authenticator: Arc<Authenticator>,
}

impl Http {
    pub fn new(app: Arc<App>, authenticator: Arc<Authenticator>) -> Self {
        Self { app, authenticator }
    }

    /// Who calls; `None` where no token came.
    fn caller(&self, authorization: Option<&HeaderValue>) -> Result<Option<Caller>> {
        let Some(value) = authorization else { return Ok(None) };
        let headers = HeaderMap::from_iter([(AUTHORIZATION, value.clone())]);
        let token = bearer::authorization(&headers).ok_or_else(unauthenticated)?;
        self.authenticator.verify(token).map(Some)
    }
}

impl DoorApi for Http {
    fn admit(&self, rpc: &str, headers: &HeaderMap) -> Result<()> {
        self.authenticator.admit(rpc, headers).map(drop)
    }
}

#[async_trait]
impl DownloadApi for Http {
    async fn download(&self, request: RawDownload) -> Result<Download> {
        let caller = self.caller(request.authorization.as_ref())?.ok_or_else(unauthenticated)?;
        let (namespace, id) = (request.namespace.as_ref(), request.id);
        let (stored, bytes) = match request.what {
            Recorded::Payload => self.app.invocation_payload(&caller, namespace, id).await?,
            Recorded::Result => self.app.invocation_result(&caller, namespace, id).await?,
        };
        Ok(Download { content_type: stored.content_type, size: stored.size, bytes })
    }
}

#[async_trait]
impl InvokeApi for Http {
    async fn invoke(&self, request: RawInvoke) -> Result<InvokeAnswer> {
        let caller = self.caller(request.authorization.as_ref())?.ok_or_else(unauthenticated)?;
        let request = InvokeRequest {
            key: FunctionKey::new(request.namespace, request.name),
            payload: Content { bytes: request.body, content_type: request.content_type.map(Into::into) },
            wait: request.wait,
            delay: request.delay,
            version: request.version,
            idempotency_key: request.idempotency_key,
            trace: request.trace,
            headers: request.headers,
        };
        Ok(match self.app.function_invoke(&caller, request).await? {
            Answer::Accepted { id, state, version, attempt } => {
                InvokeAnswer::Accepted { id, state, version, attempt }
            }
            Answer::Finished { invocation, body } => InvokeAnswer::Finished { invocation, body },
        })
    }
}

#[async_trait]
impl UrlApi for Http {
    async fn admit_url(&self, request: RawUrl) -> Result<UrlAdmission> {
        let key = FunctionKey::new(request.namespace, request.name);
        // Behind a public URL the header is the function's own business, whatever it holds.
        let public = self.app.is_public(&key);
        let caller = if public { None } else { self.caller(request.authorization.as_ref())? };
        let admitted = self.app.url_admit(caller, &key).await?;
        Ok(UrlAdmission {
            id: admitted.id,
            uid: admitted.function.uid,
            version: admitted.function.version,
            caller: admitted.caller.subject,
            public,
        })
    }
}

#[async_trait]
impl ProxyApi for Http {
    async fn proxy(&self, request: RawProxy) -> Result<ProxyAnswer> {
        let RawProxy { namespace, name, request: mut passed, authorization, trace, .. } = request;
        let key = FunctionKey::new(namespace, name);
        // Behind a public URL the header is the function's own business, whatever it holds.
        let caller = if self.app.is_public(&key) {
            if let Some(value) = authorization {
                passed.headers.insert(AUTHORIZATION, value);
            }
            None
        } else {
            self.caller(authorization.as_ref())?
        };
        let answer = self.app.function_proxy(caller, &key, trace, passed).await?;
        Ok(ProxyAnswer { id: answer.id, version: answer.version, response: answer.response })
    }
}
