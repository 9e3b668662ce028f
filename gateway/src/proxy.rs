//! `/fn/{namespace}/{name}/…`: a function's own URL, streamed both ways.

mod upgrade;

use crate::context::Context;
use crate::deps::{Deps, ProxyAnswer, RawProxy};
use crate::hop;
use crate::invoke::{ATTEMPT, INVOCATION_ID, Target, VERSION};
use crate::problem::{FUNCTION_FAILED, Problem};
use crate::transcode::call::sandbox;
use crate::transcode::pattern;
use axum::body::Body;
use axum::response::Response;
use eventflow_domain::ports::HttpRequest;
use futures::StreamExt as _;
use http::request::Parts;
use http::uri::{PathAndQuery, Uri};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};

pub(crate) const PREFIX: &str = "/fn/";

/// What a function must not say about our origin.
const KEPT_FROM_CALLERS: [HeaderName; 4] = [
    HeaderName::from_static("clear-site-data"),
    HeaderName::from_static("service-worker-allowed"),
    header::STRICT_TRANSPORT_SECURITY,
    header::ALT_SVC,
];

/// Who is told to the function as caller; what the caller said of itself is replaced.
const FORWARDED: [&str; 5] =
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-prefix"];

pub(crate) async fn handle(deps: &Deps, mut request: Request<Body>) -> Result<Response, Problem> {
    let (target, uri, prefix) = split(request.uri())?;
    let asks_upgrade = wants_upgrade(request.headers());
    let pending = asks_upgrade.then(|| hyper::upgrade::on(&mut request));
    let (parts, body) = request.into_parts();
    let context = Context::of(&parts);
    let authorization = parts.headers.get(header::AUTHORIZATION).cloned();
    let body = body.into_data_stream().map(|piece| piece.map_err(std::io::Error::other)).boxed();
    let raw = RawProxy {
        namespace: target.namespace,
        name: target.name,
        request: HttpRequest {
            method: parts.method.clone(),
            uri,
            headers: headers(&parts, &context, &prefix, asks_upgrade),
            body,
            upgrade: asks_upgrade,
        },
        authorization,
        trace: context.trace,
    };
    let answer = deps.proxy.proxy(raw).await?;
    respond(answer, pending, deps)
}

fn respond(
    answer: ProxyAnswer,
    pending: Option<hyper::upgrade::OnUpgrade>,
    deps: &Deps,
) -> Result<Response, Problem> {
    let ProxyAnswer { id, version, response } = answer;
    let mut headers = response.headers;
    let switches = response.status == StatusCode::SWITCHING_PROTOCOLS;
    let protocol = headers.get(header::UPGRADE).cloned();
    hop::strip(&mut headers);
    for name in &KEPT_FROM_CALLERS {
        headers.remove(name);
    }
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        headers.insert(INVOCATION_ID, id);
    }
    headers.insert(VERSION, HeaderValue::from(version.0));
    // A request is passed on once: what was streamed away cannot be sent again.
    headers.insert(ATTEMPT, HeaderValue::from(1));
    let body = match (switches, pending, response.upgraded) {
        (false, ..) => {
            sandbox_beside(&mut headers);
            Body::from_stream(response.body)
        }
        (true, Some(pending), Some(function)) => {
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, protocol.unwrap_or(HeaderValue::from_static("websocket")));
            upgrade::bridge(pending, function, deps.draining.clone());
            Body::empty()
        }
        (true, ..) => {
            let detail = "the function switched protocols without being asked";
            return Err(Problem::new(StatusCode::BAD_GATEWAY, FUNCTION_FAILED, detail));
        }
    };
    let mut out = Response::new(body);
    *out.status_mut() = response.status;
    *out.headers_mut() = headers;
    Ok(out)
}

/// The function's own policy stays; ours comes beside it, and both hold.
fn sandbox_beside(headers: &mut HeaderMap) {
    let own: Vec<_> = headers.get_all(header::CONTENT_SECURITY_POLICY).iter().cloned().collect();
    sandbox(headers);
    for policy in own {
        headers.append(header::CONTENT_SECURITY_POLICY, policy);
    }
}

/// `/fn/ns/name/rest?query` → the function, `/rest?query`, and `/fn/ns/name`.
fn split(uri: &Uri) -> Result<(Target, Uri, String), Problem> {
    let rest = uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let mut parts = rest.splitn(3, '/');
    let (namespace, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if namespace.is_empty() || name.is_empty() {
        return Err(Problem::not_found("a function's URL is /fn/{namespace}/{name}"));
    }
    let target = Target::parse(&pattern::decode("namespace", namespace)?, &pattern::decode("name", name)?)?;
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = format!("/{}{query}", parts.next().unwrap_or_default());
    let path: PathAndQuery = path.parse().map_err(|_| Problem::invalid("path", "is no valid path"))?;
    Ok((target, Uri::from(path), format!("{PREFIX}{namespace}/{name}")))
}

fn wants_upgrade(headers: &HeaderMap) -> bool {
    let named = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let upgrade =
        named.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case("upgrade"));
    upgrade && headers.contains_key(header::UPGRADE)
}

/// The headers that the function sees.
fn headers(parts: &Parts, context: &Context, prefix: &str, upgrade: bool) -> HeaderMap {
    let mut headers = parts.headers.clone();
    let protocol = headers.get(header::UPGRADE).cloned();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
    let host = host.or_else(|| parts.uri.authority().map(ToString::to_string)).unwrap_or_default();
    hop::strip(&mut headers);
    hop::strip_our_cookies(&mut headers);
    headers.remove(header::AUTHORIZATION);
    for name in FORWARDED {
        headers.remove(name);
    }
    if let (true, Some(protocol)) = (upgrade, protocol) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, protocol);
    }
    let client = context.client.map(|client| client.ip().to_string());
    let node = match context.client.map(|client| client.ip()) {
        Some(std::net::IpAddr::V6(ip)) => format!("\"[{ip}]\""),
        Some(ip) => ip.to_string(),
        None => "unknown".to_owned(),
    };
    let mut set = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("forwarded", format!("for={node};host=\"{host}\";proto=http"));
    set("x-forwarded-for", client.unwrap_or_else(|| "unknown".to_owned()));
    set("x-forwarded-host", host);
    set("x-forwarded-proto", "http".to_owned());
    set("x-forwarded-prefix", prefix.to_owned());
    headers
}
