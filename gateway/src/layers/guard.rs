//! Who may speak to this listener at all: `Host`, `Origin`, and the bounds of headers.

use crate::config::{GatewayConfig, Hosts};
use crate::problem::{Problem, shown};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, StatusCode, Uri, header};
use std::net::IpAddr;

/// Refuses what no handler shall see.
pub(crate) fn check(config: &GatewayConfig, parts: &Parts) -> Result<(), Problem> {
    check_headers(config, &parts.headers)?;
    let host = host(parts)?;
    check_host(config, host.as_ref())?;
    // A function's plain answers are its own affair; a WebSocket has no CORS that would keep pages out.
    let own_affair = parts.uri.path().starts_with(crate::proxy::PREFIX);
    if own_affair && !parts.headers.contains_key(header::UPGRADE) {
        return Ok(());
    }
    check_origin(config, &parts.headers, host.as_ref())
}

fn check_headers(config: &GatewayConfig, headers: &HeaderMap) -> Result<(), Problem> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers.len() <= config.max_headers && bytes <= config.max_header_bytes {
        return Ok(());
    }
    let detail = format!("at most {} headers of {} bytes in all", config.max_headers, config.max_header_bytes);
    Err(Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "HeadersTooLarge", detail))
}

fn host(parts: &Parts) -> Result<Option<Authority>, Problem> {
    if let Some(authority) = parts.uri.authority() {
        return Ok(Some(authority.clone()));
    }
    let Some(host) = parts.headers.get(header::HOST) else { return Ok(None) };
    let parsed = host.to_str().ok().and_then(|host| host.parse().ok());
    parsed.map(Some).ok_or_else(|| Problem::invalid("Host", "must be a host, with or without a port"))
}

fn check_host(config: &GatewayConfig, host: Option<&Authority>) -> Result<(), Problem> {
    let Hosts::LoopbackAnd(more) = &config.hosts else { return Ok(()) };
    let Some(host) = host else {
        return Err(Problem::invalid("Host", "is missing"));
    };
    let configured = |one: &String| one.eq_ignore_ascii_case(host.as_str()) || one.eq_ignore_ascii_case(host.host());
    if is_loopback(host.host()) || more.iter().any(configured) {
        return Ok(());
    }
    let detail = format!("host {:?} is not served here; configure it to allow it", shown(host.as_str()));
    Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "HostNotAllowed", detail))
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = host.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether an origin is the one that `host` serves, or a configured one.
pub(crate) fn origin_allowed(config: &GatewayConfig, origin: &str, host: Option<&Authority>) -> bool {
    if config.origins.iter().any(|one| one == origin) {
        return true;
    }
    let authority = origin.parse::<Uri>().ok().filter(|uri| uri.path() == "/" || uri.path().is_empty());
    let authority = authority.as_ref().and_then(Uri::authority);
    matches!((authority, host), (Some(origin), Some(host)) if same(origin, host))
}

fn same(a: &Authority, b: &Authority) -> bool {
    a.host().eq_ignore_ascii_case(b.host()) && a.port_u16() == b.port_u16()
}

fn check_origin(config: &GatewayConfig, headers: &HeaderMap, host: Option<&Authority>) -> Result<(), Problem> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    if origin.to_str().is_ok_and(|origin| origin_allowed(config, origin, host)) {
        return Ok(());
    }
    let detail = "pages of this origin may not call here; configure the origin to allow it";
    Err(Problem::new(StatusCode::FORBIDDEN, "OriginNotAllowed", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_loopback() {
        for host in ["localhost", "127.0.0.1", "127.8.8.8", "[::1]", "LOCALHOST", "a.localhost"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn the_own_origin_and_configured_ones_are_allowed() {
        let config = GatewayConfig { origins: vec!["https://console.example".into()], ..GatewayConfig::default() };
        let host: Authority = "127.0.0.1:8080".parse().expect("a host");
        let allowed = |origin| origin_allowed(&config, origin, Some(&host));
        assert!(allowed("http://127.0.0.1:8080") && allowed("https://console.example"));
        for foreign in ["null", "http://127.0.0.1:9090", "http://127.0.0.1", "https://console.example.evil", "x"] {
            assert!(!allowed(foreign), "{foreign}");
        }
    }
}
