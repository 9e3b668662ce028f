//! `/openapi.json`: OpenAPI 3.1, built once at start from the same annotations that route requests, so that the
//! two cannot differ.

mod operation;
mod schema;
mod texts;

use crate::transcode::table::Table;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, header};
use operation::Namer;
use prost_reflect::DescriptorPool;
use schema::Schemas;
use serde_json::{Map, Value, json};
use texts::Texts;

/// The document.
pub(crate) fn document(pool: &DescriptorPool, table: &Table) -> Vec<u8> {
    let texts = Texts::read(pool);
    let mut schemas = Schemas::new(&texts);
    let mut paths: Map<String, Value> = Map::new();
    let mut namer = Namer::default();
    let mut tags: Vec<String> = Vec::new();
    for binding in table.bindings() {
        let tag = operation::tag(binding);
        if !tags.contains(&tag) {
            tags.push(tag);
        }
        let operation = operation::operation(binding, &texts, &mut schemas, &mut namer);
        let path = paths.entry(binding.template.to_string()).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(binding.method.as_str().to_ascii_lowercase(), operation);
        }
    }
    operation::add_fixed(&mut paths);
    let tags: Vec<Value> =
        tags.iter().map(|tag| json!({"name": tag, "description": texts.service(pool, tag)})).collect();
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "EventFlow",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Declares functions, invokes them, and answers what happened to each call.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "tags": tags,
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "responses": {"Problem": operation::problem_response()},
            "schemas": schemas.finish(),
        },
    });
    serde_json::to_vec(&document).unwrap_or_default()
}

pub(crate) fn respond(document: &Bytes) -> Response {
    let mut response = Response::new(Body::from(document.clone()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
