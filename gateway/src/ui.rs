//! The web UI: files built from `web/`, embedded into the program. A debug build reads them from the folder (ADR 0016).
//!
//! ```text
//!   GET /assets/app-3f9c….js   the file: named by its content, kept by browsers for a year
//!   GET /favicon.svg           the file, asked for again each time by its ETag
//!   GET /n/media/functions     index.html, where a page is asked for: the UI has that address
//!   GET /typo                  404 as REST tells it, where no page is asked for
//! ```

mod answer;
mod files;

use files::Built;
pub use files::{File, Files};

use crate::problem::Problem;
use answer::{INDEX, Page};
use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, Method, header};
use std::convert::Infallible;
use std::sync::Arc;
use tower::service_fn;

/// Serves the embedded UI, for [`crate::Deps::fallback`].
pub fn ui() -> Router {
    ui_of(Arc::new(Built))
}

/// Serves these files as the UI.
pub fn ui_of(files: Arc<dyn Files>) -> Router {
    Router::new().fallback_service(service_fn(move |request: Request| {
        let files = Arc::clone(&files);
        async move { Ok::<_, Infallible>(respond(files.as_ref(), &request)) }
    }))
}

fn respond(files: &dyn Files, request: &Request) -> Response {
    let path = request.uri().path();
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return not_found(path);
    }
    let name = path.trim_start_matches('/');
    let asked = request.headers();
    if !name.is_empty()
        && name != INDEX
        && let Some(file) = answer::encoded(files, name, asked)
    {
        return answer::file(name, file, asked);
    }
    if name.starts_with("assets/") || !wants_page(path, asked) {
        return not_found(path);
    }
    match answer::encoded(files, INDEX, asked) {
        Some(file) => answer::file(INDEX, file, asked),
        None => answer::page(Page::NotBuilt),
    }
}

/// A browser that goes to an address asks for a page; a script, a style or a client does not. The names of gRPC
/// services have dots, those of the UI's addresses have none.
fn wants_page(path: &str, asked: &HeaderMap) -> bool {
    let first = path.split('/').nth(1).unwrap_or_default();
    let accepts = || {
        let values = asked.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|one| one.trim().starts_with("text/html"))
    };
    !first.contains('.') && (path == "/" || accepts())
}

fn not_found(path: &str) -> Response {
    Problem::not_found(format!("there is no {:?}", crate::problem::shown(path))).into_response()
}
