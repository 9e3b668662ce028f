use eventflow_domain::FunctionVersion;
use http::uri::{Authority, Scheme};
use http_body_util::BodyExt;
use std::sync::Arc;
use tokio::sync::Semaphore;
use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody, WasiHttpHooks};

type Ended = Box<dyn Future<Output = Result<()>> + Send>;
type Answer = Box<dyn Future<Output = Result<(http::Response<WasiBody>, Ended)>> + Send>;

/// Lets requests out to the hosts and ports that the spec names, and to nobody else.
pub(crate) struct Egress {
    version: Arc<FunctionVersion>,
    open: Arc<Semaphore>,
}

impl Egress {
    pub(crate) fn new(version: Arc<FunctionVersion>, max_open: usize) -> Self {
        Self { version, open: Arc::new(Semaphore::new(max_open)) }
    }

    fn allows(&self, scheme: Option<&Scheme>, authority: &Authority) -> bool {
        let default = if scheme == Some(&Scheme::HTTPS) { 443 } else { 80 };
        let port = authority.port_u16().unwrap_or(default);
        let host = bare(authority.host());
        // User information in front of the host has no place in a request, and has been used to fool such checks.
        !authority.as_str().contains('@')
            && self
                .version
                .spec
                .egress
                .iter()
                .any(|to| to.port == port && bare(&to.host).eq_ignore_ascii_case(host))
    }
}

/// An IPv6 address without its brackets.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

impl WasiHttpHooks for Egress {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<()>> + Send>,
    ) -> Answer {
        let uri = request.uri();
        if !uri.authority().is_some_and(|authority| self.allows(uri.scheme(), authority)) {
            return Box::new(async { Err(Error::HttpRequestDenied) });
        }
        let Ok(place) = Arc::clone(&self.open).try_acquire_owned() else {
            return Box::new(async { Err(Error::ConnectionLimitReached) });
        };
        Box::new(async move {
            let (response, connection) = wasmtime_wasi_http::default_send_request(request, options).await?;
            let connection: Ended = Box::new(async move {
                let ended = connection.await;
                drop(place);
                ended
            });
            Ok((response.map(BodyExt::boxed_unsync), connection))
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        256 << 10
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventflow_testkit::FunctionBuilder;

    fn allows(declared: &[(&str, u16)], scheme: &Scheme, authority: &str) -> bool {
        let egress = declared
            .iter()
            .map(|(host, port)| eventflow_domain::spec::Egress { host: (*host).to_owned(), port: *port })
            .collect();
        let version = FunctionBuilder::new("fetch").with(|spec| spec.egress = egress).version();
        Egress::new(version, 1).allows(Some(scheme), &authority.parse().expect("an authority"))
    }

    #[test]
    fn only_the_declared_host_and_port_is_let_out() {
        let declared = [("api.example.com", 443), ("::1", 8080)];
        assert!(allows(&declared, &Scheme::HTTPS, "api.example.com"));
        assert!(allows(&declared, &Scheme::HTTPS, "API.example.com:443"));
        assert!(allows(&declared, &Scheme::HTTP, "[::1]:8080"));
        assert!(!allows(&declared, &Scheme::HTTP, "api.example.com"));
        assert!(!allows(&declared, &Scheme::HTTPS, "api.example.com:8443"));
        assert!(!allows(&declared, &Scheme::HTTPS, "example.com"));
        assert!(!allows(&declared, &Scheme::HTTPS, "api.example.com.evil.test"));
        assert!(!allows(&declared, &Scheme::HTTPS, "x@api.example.com"));
        assert!(!allows(&[], &Scheme::HTTPS, "api.example.com"));
    }
}
