//! Client-streaming RPCs: the raw body, piece by piece, never whole in memory.

use super::codec::Outgoing;
use super::table::{Binding, BodyRule, is_raw};
use super::{Problem, Transcoder, call, headers, request};
use crate::body::Chunks;
use crate::context::Context;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::Stream;
use http::HeaderMap;
use http::request::Parts;
use prost_reflect::{DynamicMessage, FieldDescriptor, ReflectMessage as _};
use std::sync::{Arc, OnceLock};
use tonic::Status;

/// Bytes in one message.
const PIECE: usize = 64 << 10;

impl Transcoder {
    pub(super) async fn upload(
        &self,
        binding: &Binding,
        values: &[&str],
        parts: &Parts,
        body: Body,
        context: &Context,
    ) -> Result<Response, Problem> {
        let BodyRule::Field(field) = &binding.body else { return Err(call::internal("takes no stream")) };
        if !is_raw(field) {
            return Err(call::internal("takes no raw stream"));
        }
        let mut first = DynamicMessage::new(binding.rpc.input());
        request::path_and_query(binding, values, parts, &mut first)?;
        let (template, _) = self.request(parts, context, first.clone())?;
        let mut chunks = self.bodies.chunks(&parts.headers, body, self.config.artifact_limit)?;
        let head = chunks.next().await?.unwrap_or_default();
        let fault = Arc::new(OnceLock::new());
        let messages =
            messages(first, field.clone(), parts.headers.clone(), head, chunks, Arc::clone(&fault));
        let call = self.upstream.client_streaming(&binding.rpc, template.map(|_| messages));
        let answer = tokio::time::timeout(self.config.body_timeout, call).await;
        if let Some(problem) = fault.get() {
            // The body's own fault says more than what upstream made of it.
            return Err(Problem::clone(problem));
        }
        let answer = answer.map_err(|_| headers::deadline_exceeded())?;
        call::respond(binding, &parts.headers, answer.map_err(Problem::from)?)
    }
}

fn messages(
    first: DynamicMessage,
    field: FieldDescriptor,
    headers: HeaderMap,
    head: Bytes,
    mut chunks: Chunks,
    fault: Arc<OnceLock<Problem>>,
) -> impl Stream<Item = Outgoing> + Send + 'static {
    async_stream::stream! {
        let empty = DynamicMessage::new(first.descriptor());
        let mut next = Some(first);
        let mut chunk = head;
        loop {
            // At least one message goes out: an empty body is a body.
            loop {
                let piece = chunk.split_to(chunk.len().min(PIECE));
                let mut message = next.take().unwrap_or_else(|| empty.clone());
                match request::raw(&field, &headers, piece) {
                    Ok(value) => message.set_field(&field, value),
                    Err(problem) => {
                        let _first_fault_counts = fault.set(problem);
                        yield Outgoing::Abort(Status::cancelled("the upload broke off"));
                        return;
                    }
                }
                yield Outgoing::Message(message);
                if chunk.is_empty() {
                    break;
                }
            }
            match chunks.next().await {
                Ok(Some(more)) => chunk = more,
                Ok(None) => return,
                Err(problem) => {
                    let _first_fault_counts = fault.set(problem);
                    yield Outgoing::Abort(Status::cancelled("the upload broke off"));
                    return;
                }
            }
        }
    }
}
