//! The client that object_store sends its requests by. Its own one would bring a second TLS library.

use super::config::{OpenError, S3Config};
use async_trait::async_trait;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector as TcpConnector;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
    HttpResponseBody, HttpService,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::error::Error as _;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tower_http::timeout::TimeoutBody;

/// The slowest network that large bodies are sent over, in bytes in a second.
const SLOWEST: u64 = 256 << 10;

/// Connections kept for the next request, and how long: shorter than servers keep them.
const IDLE: usize = 32;
const IDLE_FOR: Duration = Duration::from_secs(20);

/// Makes one client, with bounds on everything that may wait.
#[derive(Debug)]
pub(super) struct Connector(Http);

impl Connector {
    /// Reads the certificates to trust: those of the system, where any of them is needed, and those of the settings.
    pub(super) async fn new(config: &S3Config) -> Result<Self, OpenError> {
        let tls = config.endpoint.as_ref().is_none_or(|url| url.starts_with("https://"));
        let file = config.ca_file.clone();
        let roots =
            tokio::task::spawn_blocking(move || if tls { roots(file) } else { Ok(RootCertStore::empty()) });
        let roots = roots.await.map_err(io::Error::other).flatten().map_err(OpenError::Certificates)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let versions = versions.map_err(|cause| OpenError::Certificates(io::Error::other(cause)))?;
        let tls = versions.with_root_certificates(roots).with_no_client_auth();
        let mut tcp = TcpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(config.timeout));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_FOR)
            .pool_max_idle_per_host(IDLE)
            .build(connector);
        Ok(Self(Http { client, timeout: config.timeout }))
    }
}

fn roots(file: Option<PathBuf>) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    // A few that cannot be read are usual; without any, the first request says so.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = file {
        let before = roots.len();
        for certificate in CertificateDer::pem_file_iter(file).map_err(io::Error::other)? {
            roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
        }
        if roots.len() == before {
            return Err(io::Error::other("the file has no certificate"));
        }
    }
    Ok(roots)
}

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

#[derive(Debug, Clone)]
struct Http {
    client: Client<HttpsConnector<TcpConnector>, HttpRequestBody>,
    timeout: Duration,
}

#[async_trait]
impl HttpService for Http {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let sending = Duration::from_secs(request.body().content_length() as u64 / SLOWEST);
        let answer = tokio::time::timeout(self.timeout + sending, self.client.request(request)).await;
        let answer = answer.map_err(|late| HttpError::new(HttpErrorKind::Timeout, late))?;
        let (parts, body) = answer.map_err(sent)?.into_parts();
        let body = TimeoutBody::new(self.timeout, body);
        let body = http_body_util::BodyExt::map_err(body, |cause| {
            let late = cause.is::<tower_http::timeout::TimeoutError>();
            let kind = if late { HttpErrorKind::Timeout } else { HttpErrorKind::Interrupted };
            HttpError::new_boxed(kind, cause)
        });
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)))
    }
}

/// What became of a request that has no answer decides whether it may be sent again.
fn sent(error: ClientError) -> HttpError {
    let kind = if error.is_connect() {
        HttpErrorKind::Connect
    } else {
        match error.source().and_then(|cause| cause.downcast_ref::<hyper::Error>()) {
            Some(cause) if cause.is_timeout() => HttpErrorKind::Timeout,
            _ => HttpErrorKind::Interrupted,
        }
    };
    HttpError::new(kind, error)
}
