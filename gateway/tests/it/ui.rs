//! The files of the UI, and what is never answered with them.

use crate::fake::{Gateway, Got, gateway_for, request};
use axum::body::Body;
use eventflow_gateway::{File, Files, ui_of};
use std::sync::Arc;

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// What a build might have left.
#[derive(Debug)]
struct Built(&'static [(&'static str, &'static str)]);

impl Files for Built {
    fn get(&self, path: &str) -> Option<File> {
        let (at, (_, text)) = self.0.iter().enumerate().find(|(_, (name, _))| *name == path)?;
        Some(File { bytes: text.as_bytes().into(), tag: format!("{at:032x}") })
    }
}

const BUILT: Built = Built(&[
    ("index.html", "<!doctype html><title>EventFlow</title>"),
    ("index.html.gz", "the page, squeezed"),
    ("assets/app-1a2b3c4d.js", "the script"),
    ("assets/app-1a2b3c4d.js.br", "the script, pressed"),
    ("assets/app-1a2b3c4d.js.gz", "the script, squeezed"),
    ("favicon.svg", "<svg/>"),
]);

fn with(built: Built) -> Gateway {
    gateway_for(Some(ui_of(Arc::new(built))))
}

async fn ask(gateway: &Gateway, method: &str, path: &str, headers: &[(&str, &str)]) -> Got {
    let mut request = request(method, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    gateway.send(request.body(Body::empty()).expect("a request")).await
}

#[tokio::test]
async fn every_address_of_the_ui_is_its_page() {
    let gateway = with(BUILT);
    for path in
        ["/", "/login", "/n/media/functions?state=READY", "/n/-/invocations/0192", "/fnord", "/v1beta"]
    {
        let got = ask(&gateway, "GET", path, &[("accept", BROWSER)]).await;
        assert_eq!((got.status, got.header("content-type")), (200, "text/html; charset=utf-8"), "{path}");
        assert!(got.body.starts_with(b"<!doctype html>"), "{path}");
        assert_eq!(got.header("cache-control"), "no-cache", "{path}");
    }
    assert_eq!(ask(&gateway, "GET", "/", &[]).await.status, 200, "whoever asks for the root");
    assert!(gateway.counted("/ui"));
}

#[tokio::test]
async fn what_is_the_apis_is_never_answered_with_the_page() {
    let gateway = with(BUILT);
    for path in [
        "/v1",
        "/v1/",
        "/v1/nope",
        "/auth",
        "/auth/nope",
        "/fn",
        "/fn/",
        "/fn/default/x",
        "/eventflow.v1.FunctionService/Nope",
        "/grpc.health.v1.Health/Nope",
        "/assets/app-old.js",
        "/assets/",
    ] {
        let got = ask(&gateway, "GET", path, &[("accept", BROWSER)]).await;
        assert!(!got.header("content-type").contains("html"), "{path}: {}", got.header("content-type"));
        assert!(got.status >= 400, "{path}: {}", got.status);
    }
    for path in ["/healthz", "/metrics", "/openapi.json"] {
        let got = ask(&gateway, "GET", path, &[("accept", BROWSER)]).await;
        assert!(got.status == 200 && !got.header("content-type").contains("html"), "{path}");
    }
    // Nobody who wants a page sends these.
    for (method, path) in [("POST", "/"), ("DELETE", "/n/media/functions"), ("PUT", "/favicon.svg")] {
        let got = ask(&gateway, method, path, &[("accept", BROWSER)]).await;
        assert_eq!(
            (got.status, got.header("content-type")),
            (404, "application/problem+json"),
            "{method} {path}"
        );
    }
    let got = ask(&gateway, "GET", "/typo", &[("accept", "*/*")]).await;
    assert_eq!((got.status, got.header("content-type")), (404, "application/problem+json"));
}

#[tokio::test]
async fn the_page_may_load_and_call_its_own_server_only_and_be_framed_by_nobody() {
    let got = ask(&with(BUILT), "GET", "/", &[("accept", BROWSER)]).await;
    let policy = got.header("content-security-policy");
    for rule in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.split(';').any(|of| of.trim() == rule), "{rule} in {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    let of = ["x-content-type-options", "referrer-policy", "x-frame-options", "cross-origin-opener-policy"];
    assert_eq!(of.map(|name| got.header(name)), ["nosniff", "no-referrer", "DENY", "same-origin"]);
}

#[tokio::test]
async fn files_named_by_their_content_are_kept_and_the_others_asked_for_again() {
    let gateway = with(BUILT);
    let script = ask(&gateway, "GET", "/assets/app-1a2b3c4d.js", &[]).await;
    assert_eq!(script.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(script.header("content-type"), "text/javascript; charset=utf-8");
    let icon = ask(&gateway, "GET", "/favicon.svg", &[]).await;
    assert_eq!((icon.header("cache-control"), icon.header("content-type")), ("no-cache", "image/svg+xml"));
    let tag = icon.header("etag");
    assert!(tag.starts_with('"') && tag != script.header("etag"), "{tag}");
    for known in [tag.to_owned(), format!("\"other\", W/{tag}")] {
        let got = ask(&gateway, "GET", "/favicon.svg", &[("if-none-match", &known)]).await;
        assert_eq!((got.status, got.body.len(), got.header("etag")), (304, 0, tag), "{known}");
    }
    let got = ask(&gateway, "GET", "/favicon.svg", &[("if-none-match", "\"other\"")]).await;
    assert_eq!((got.status, &got.body[..]), (200, &b"<svg/>"[..]));
    let got = ask(&gateway, "HEAD", "/n/media/functions", &[("accept", BROWSER)]).await;
    assert_eq!((got.status, got.header("content-type")), (200, "text/html; charset=utf-8"));
}

#[tokio::test]
async fn a_file_comes_compressed_as_the_browser_takes_it() {
    let gateway = with(BUILT);
    for (accepted, encoding, body) in [
        ("gzip, deflate, br, zstd", "br", "the script, pressed"),
        ("gzip", "gzip", "the script, squeezed"),
        ("br;q=0, gzip;q=0.5", "gzip", "the script, squeezed"),
        ("identity", "", "the script"),
        ("brown", "", "the script"),
    ] {
        let got = ask(&gateway, "GET", "/assets/app-1a2b3c4d.js", &[("accept-encoding", accepted)]).await;
        assert_eq!(
            (got.header("content-encoding"), &got.body[..]),
            (encoding, body.as_bytes()),
            "{accepted}"
        );
        assert_eq!(got.header("content-type"), "text/javascript; charset=utf-8");
        assert_eq!(got.header("vary"), "accept-encoding");
    }
    let page = ask(&gateway, "GET", "/login", &[("accept", BROWSER), ("accept-encoding", "gzip, br")]).await;
    assert_eq!((page.header("content-encoding"), &page.body[..]), ("gzip", &b"the page, squeezed"[..]));
}

#[tokio::test]
async fn a_build_without_the_ui_says_how_to_make_one() {
    let gateway = with(Built(&[]));
    let got = ask(&gateway, "GET", "/n/media/functions", &[("accept", BROWSER)]).await;
    let text = String::from_utf8_lossy(&got.body).into_owned();
    assert_eq!((got.status, got.header("content-type")), (404, "text/html; charset=utf-8"));
    assert!(text.contains("npm run build") && !text.contains("<script"), "{text}");
    assert!(got.header("content-security-policy").contains("default-src 'none'"));
    assert_eq!(ask(&gateway, "GET", "/typo", &[]).await.header("content-type"), "application/problem+json");
    assert_eq!(gateway.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn the_own_page_speaks_grpc_web_and_the_pages_of_others_do_not() {
    let gateway = with(BUILT);
    let ask = async |origin: &str| {
        let request = request("POST", "/eventflow.v1.FunctionService/ListFunctions")
            .header("origin", origin)
            .header("content-type", "application/grpc-web+proto")
            .header("x-grpc-web", "1");
        gateway.send(request.body(Body::from(vec![0; 5])).expect("a request")).await
    };
    let own = ask("http://localhost").await;
    assert_eq!((own.status, own.header("grpc-status")), (200, ""), "its trailers are in the body");
    assert_eq!(own.header("access-control-allow-origin"), "http://localhost");
    assert!(own.header("access-control-expose-headers").contains("grpc-status"));
    for origin in ["http://localhost:5173", "http://localhost.evil.example", "http://evil.example", "null"] {
        let other = ask(origin).await;
        assert_eq!(other.header("grpc-status"), "7", "{origin} is refused");
        assert_eq!(other.header("access-control-allow-origin"), "", "{origin}");
    }
    let list = gateway.fake.0.listed.lock().expect("no test failed").len();
    assert_eq!(list, 1, "what was refused reached no service");
    // Before it calls with a token, a page of another origin asks; it is told no.
    let preflight = request("OPTIONS", "/eventflow.v1.FunctionService/ListFunctions")
        .header("origin", "http://evil.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,x-grpc-web");
    let told = gateway.send(preflight.body(Body::empty()).expect("a request")).await;
    assert_eq!(told.header("access-control-allow-origin"), "");
}
