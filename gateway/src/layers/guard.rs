//! Who may speak to this listener at all: `Host`, `Origin`, and the bounds of headers.

use crate::config::GatewayConfig;
use crate::problem::{Problem, shown};
use eventflow_auth::origin;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, StatusCode, header};

/// Refuses what no handler shall see.
pub(crate) fn check(config: &GatewayConfig, parts: &Parts) -> Result<(), Problem> {
    check_headers(config, &parts.headers)?;
    let host = host(parts);
    check_host(config, host)?;
    // A function's plain answers are its own affair; a WebSocket has no CORS that would keep pages out.
    let own_affair = parts.uri.path().starts_with(crate::proxy::PREFIX);
    if own_affair && !parts.headers.contains_key(header::UPGRADE) {
        return Ok(());
    }
    check_origin(config, &parts.headers, host)
}

fn check_headers(config: &GatewayConfig, headers: &HeaderMap) -> Result<(), Problem> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers.len() <= config.max_headers && bytes <= config.max_header_bytes {
        return Ok(());
    }
    let detail =
        format!("at most {} headers of {} bytes in all", config.max_headers, config.max_header_bytes);
    Err(Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "HeadersTooLarge", detail))
}

/// `:authority` or `Host`; empty where the request has neither.
pub(crate) fn host(parts: &Parts) -> &str {
    let header = || parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    parts.uri.authority().map(Authority::as_str).or_else(header).unwrap_or_default()
}

fn check_host(config: &GatewayConfig, host: &str) -> Result<(), Problem> {
    if origin::host_allowed(host, &config.hosts) {
        return Ok(());
    }
    let detail = format!("host {:?} is not served here; configure it to allow it", shown(host));
    Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "HostNotAllowed", detail))
}

fn check_origin(config: &GatewayConfig, headers: &HeaderMap, host: &str) -> Result<(), Problem> {
    let Some(page) = headers.get(header::ORIGIN) else { return Ok(()) };
    if page.to_str().is_ok_and(|page| origin::origin_allowed(page, host, &config.hosts)) {
        return Ok(());
    }
    let detail = "pages of this origin may not call here; configure the origin to allow it";
    Err(Problem::new(StatusCode::FORBIDDEN, "OriginNotAllowed", detail))
}
