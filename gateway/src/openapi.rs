//! `/openapi.json`
use crate::transcode::table::Table;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use prost_reflect::DescriptorPool;
pub(crate) fn document(_pool: &DescriptorPool, _table: &Table) -> Vec<u8> { Vec::new() }
pub(crate) fn respond(document: &Bytes) -> Response { Response::new(Body::from(document.clone())) }
