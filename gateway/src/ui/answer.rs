//! Answers with files, and the headers that keep the page to itself.

use super::{File, Files};
use crate::context::RouteLabel;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use std::borrow::Cow;

pub(super) const INDEX: &str = "index.html";

/// Scripts, styles and calls of our own only; user content is text, and images of results are blobs.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Pages of our own.
#[derive(Debug, Clone, Copy)]
pub(super) enum Page {
    NotBuilt,
}

const NOT_BUILT: &str = "<!doctype html>
<html lang=\"en\">
<head><meta charset=\"utf-8\"><title>EventFlow</title></head>
<body>
<h1>The web UI is not part of this build</h1>
<p>Everything else works: REST, gRPC and the command line.</p>
<p>To build the UI, with Node 20 or newer:</p>
<pre>cd web
npm ci
npm run build</pre>
<p>Then build EventFlow again (<code>make run</code> does both), or, in a debug build, reload this page.</p>
<p>The API is described by <a href=\"/openapi.json\">/openapi.json</a>.</p>
</body>
</html>
";

/// A file as it was made for those who take it compressed.
#[derive(Debug)]
pub(super) struct Encoded {
    file: File,
    encoding: Option<&'static str>,
}

/// The file, compressed as the caller likes best, where it was compressed when it was built.
pub(super) fn encoded(files: &dyn Files, name: &str, asked: &HeaderMap) -> Option<Encoded> {
    for (encoding, ending) in [("br", "br"), ("gzip", "gz")] {
        if accepts(asked, encoding)
            && let Some(file) = files.get(&format!("{name}.{ending}"))
        {
            return Some(Encoded { file, encoding: Some(encoding) });
        }
    }
    files.get(name).map(|file| Encoded { file, encoding: None })
}

fn accepts(asked: &HeaderMap, encoding: &str) -> bool {
    let values = asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| {
        let (name, quality) = one.split_once(';').unwrap_or((one, ""));
        let refused = quality.trim().strip_prefix("q=").is_some_and(|q| q.trim().parse() == Ok(0.0_f32));
        name.trim().eq_ignore_ascii_case(encoding) && !refused
    })
}

pub(super) fn file(name: &str, encoded: Encoded, asked: &HeaderMap) -> Response {
    // Strong: of the very bytes that are sent, compressed ones too.
    let tag = format!("\"{}\"", encoded.file.tag);
    let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let known =
        known.flat_map(|value| value.split(',')).any(|one| one.trim().trim_start_matches("W/") == tag);
    let body = match encoded.file.bytes {
        _ if known => Bytes::new(),
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    let mut response = respond(if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK }, name, body);
    let headers = response.headers_mut();
    if known {
        headers.remove(header::CONTENT_TYPE);
    }
    if let Some(encoding) = encoded.encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

pub(super) fn page(page: Page) -> Response {
    match page {
        Page::NotBuilt => respond(StatusCode::NOT_FOUND, INDEX, Bytes::from_static(NOT_BUILT.as_bytes())),
    }
}

fn respond(status: StatusCode, name: &str, body: Bytes) -> Response {
    let named_by_content = name.starts_with("assets/") && status != StatusCode::NOT_FOUND;
    let cache = if named_by_content { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.extensions_mut().insert(RouteLabel(if named_by_content { "/assets" } else { "/ui" }));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(name)));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    }
}
