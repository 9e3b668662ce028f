//! Server-streaming RPCs: NDJSON, Server-Sent Events or a WebSocket.

use super::table::{Binding, is_raw};
use super::{Problem, Transcoder, headers, write};
use crate::context::Context;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, header};
use prost_reflect::{DynamicMessage, FieldDescriptor};
use std::convert::Infallible;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// One thing to say to the caller of a stream.
#[derive(Debug)]
pub(super) enum Event {
    /// JSON, and the id by which an SSE client resumes.
    Message(Vec<u8>, Option<String>),
    Raw(Bytes),
    /// Nothing happened, and the stream is alive.
    KeepAlive,
    /// The stream failed; nothing follows.
    Failed(Problem),
}

impl Transcoder {
    pub(super) async fn stream(
        &self,
        binding: &Binding,
        values: &[&str],
        mut parts: Parts,
        body: Body,
        context: Context,
    ) -> Result<Response, Problem> {
        let socket = super::socket::asked(&mut parts).await?;
        let (message, _held) = self.message(binding, values, &parts, body).await?;
        let deadline = headers::deadline(&parts.headers)?;
        let (request, timeout) = self.request(&parts, &context, message)?;
        let call = self.upstream.server_streaming(&binding.rpc, request);
        let answer = tokio::time::timeout(timeout, call).await.map_err(|_| headers::deadline_exceeded())?;
        let answer = answer.map_err(Problem::from)?;
        let passed = headers::answer(answer.metadata());
        let events = events(
            answer.into_inner(),
            binding.answer.clone(),
            Pace { keep_alive: self.config.keep_alive, deadline },
            self.draining.clone(),
        );
        Ok(match socket {
            Some(socket) => socket.answer(events, context.request_id, self.draining.clone()),
            None if wants_sse(&parts.headers) => sse(events, passed, &context),
            None if binding.answer.as_ref().is_some_and(is_raw) => bytes(events, passed),
            None => ndjson(events, passed, &context),
        })
    }
}

#[derive(Clone, Copy)]
struct Pace {
    keep_alive: Duration,
    deadline: Option<Duration>,
}

fn events(
    messages: impl Stream<Item = Result<DynamicMessage, Status>> + Send + 'static,
    field: Option<FieldDescriptor>,
    pace: Pace,
    draining: CancellationToken,
) -> impl Stream<Item = Event> + Send + 'static {
    async_stream::stream! {
        let mut messages = std::pin::pin!(messages);
        let end = tokio::time::sleep(pace.deadline.unwrap_or(Duration::from_hours(24 * 365)));
        let mut end = std::pin::pin!(end);
        loop {
            let next = tokio::select! {
                biased;
                next = messages.next() => next,
                () = draining.cancelled() => return,
                () = &mut end => {
                    yield Event::Failed(headers::deadline_exceeded());
                    return;
                }
                () = tokio::time::sleep(pace.keep_alive) => {
                    yield Event::KeepAlive;
                    continue;
                }
            };
            match next {
                Some(Ok(message)) => yield event(&message, field.as_ref()),
                Some(Err(status)) => {
                    yield Event::Failed(Problem::from(status));
                    return;
                }
                None => return,
            }
        }
    }
}

fn event(message: &DynamicMessage, field: Option<&FieldDescriptor>) -> Event {
    if let Some(field) = field.filter(|field| is_raw(field)) {
        let value = message.get_field(field);
        let data =
            value.as_message().and_then(|carrier| carrier.get_field_by_name("data")?.as_bytes().cloned());
        return Event::Raw(data.unwrap_or_default());
    }
    // Only a heartbeat is without its value; REST has its own.
    if field.is_some_and(|field| field.supports_presence() && !message.has_field(field)) {
        return Event::KeepAlive;
    }
    let mut json = Vec::with_capacity(256);
    write::answer(message, field, &mut json);
    let id = match field {
        None => resume_token(message),
        Some(field) => message.get_field(field).as_message().and_then(line_id),
    };
    Event::Message(json, id)
}

fn resume_token(message: &DynamicMessage) -> Option<String> {
    let value = message.get_field_by_name("resume_token")?;
    value.as_str().filter(|token| !token.is_empty() && !token.contains(['\r', '\n', '\0'])).map(str::to_owned)
}

/// A log line's place, as `after` takes it.
fn line_id(line: &DynamicMessage) -> Option<String> {
    let number = |name: &str| line.get_field_by_name(name)?.as_i32();
    Some(format!("{}:{}", number("attempt")?, number("seq")?))
}

fn wants_sse(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepts.flat_map(|value| value.split(',')).any(|one| one.trim().starts_with("text/event-stream"))
}

fn respond(mut headers: HeaderMap, content_type: &'static str, body: Body) -> Response {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Asks nginx not to gather the stream.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
}

/// One JSON value per line; an empty line says that the stream is alive; `{"error": …}` is always the last.
fn ndjson(
    events: impl Stream<Item = Event> + Send + 'static,
    headers: HeaderMap,
    context: &Context,
) -> Response {
    let id = context.request_id.clone();
    let lines = events.map(move |event| {
        let line = match event {
            Event::Message(mut json, _) => {
                json.push(b'\n');
                json.into()
            }
            Event::Raw(bytes) => bytes,
            Event::KeepAlive => Bytes::from_static(b"\n"),
            Event::Failed(problem) => (problem.render_in_stream(&id) + "\n").into(),
        };
        Ok::<_, Infallible>(line)
    });
    respond(headers, "application/x-ndjson", Body::from_stream(lines))
}

fn bytes(events: impl Stream<Item = Event> + Send + 'static, headers: HeaderMap) -> Response {
    let pieces = events.filter_map(async |event| match event {
        Event::Raw(bytes) => Some(Ok(bytes)),
        Event::Failed(problem) => Some(Err(std::io::Error::other(problem.detail.clone()))),
        Event::Message(..) | Event::KeepAlive => None,
    });
    let mut response = respond(headers, "application/octet-stream", Body::from_stream(pieces));
    super::call::sandbox(response.headers_mut());
    response
}

fn sse(
    events: impl Stream<Item = Event> + Send + 'static,
    headers: HeaderMap,
    context: &Context,
) -> Response {
    let id = context.request_id.clone();
    let blocks = events.map(move |event| {
        let mut block = Vec::new();
        match event {
            Event::Message(json, id) => {
                if let Some(id) = id {
                    block.extend_from_slice(format!("id: {id}\n").as_bytes());
                }
                block.extend_from_slice(b"data: ");
                block.extend_from_slice(&json);
            }
            Event::Raw(bytes) => {
                // Lines of an event are lines of data.
                for line in bytes.split(|byte| *byte == b'\n') {
                    block.extend_from_slice(b"data: ");
                    block.extend_from_slice(line);
                    block.push(b'\n');
                }
            }
            Event::KeepAlive => block.extend_from_slice(b":"),
            Event::Failed(problem) => {
                block
                    .extend_from_slice(format!("event: error\ndata: {}", problem.render("", &id)).as_bytes());
            }
        }
        block.extend_from_slice(b"\n\n");
        Ok::<_, Infallible>(Bytes::from(block))
    });
    respond(headers, "text/event-stream", Body::from_stream(blocks))
}
