use super::schema::{Schemas, described};
use super::texts::Texts;
use crate::transcode::query::is_free;
use crate::transcode::table::{Binding, BodyRule, is_raw};
use http::Method;
use prost_reflect::{FieldDescriptor, Kind};
use serde_json::{Map, Value, json};
use std::collections::HashSet;

/// Gives each operation an id of its own.
#[derive(Debug, Default)]
pub(super) struct Namer(HashSet<String>);

impl Namer {
    fn name(&mut self, binding: &Binding) -> String {
        let service = binding.rpc.descriptor.parent_service();
        let base = format!("{}_{}", service.name(), binding.rpc.descriptor.name());
        let method = binding.method.as_str();
        let verb: String =
            method.chars().take(1).chain(method.chars().skip(1).map(|c| c.to_ascii_lowercase())).collect();
        let scope = if binding.template.starts_with("/v1/namespaces/") { "InNamespace" } else { "" };
        let candidates = [format!("{base}{scope}"), format!("{base}{scope}By{verb}")];
        let free = candidates.iter().find(|name| !self.0.contains(*name)).cloned();
        let name = free.unwrap_or_else(|| format!("{base}{scope}{}", self.0.len()));
        self.0.insert(name.clone());
        name
    }
}

pub(super) fn tag(binding: &Binding) -> String {
    binding.rpc.descriptor.parent_service().name().to_owned()
}

/// Requests that need no token.
fn is_open(binding: &Binding) -> bool {
    eventflow_auth::access_of(binding.rpc.path.path()) == Some(eventflow_auth::Access::Public)
}

fn is_invoke(binding: &Binding) -> bool {
    binding.template.ends_with("/functions/{name}:invoke")
}

pub(super) fn operation(
    binding: &Binding,
    texts: &Texts,
    schemas: &mut Schemas<'_>,
    namer: &mut Namer,
) -> Value {
    let rpc = &binding.rpc.descriptor;
    let text = texts.at(rpc.parent_service().parent_file().name(), rpc.path());
    let summary = text.split_terminator(['.', '\n']).next().unwrap_or_default().to_owned();
    let mut operation = Map::new();
    operation.insert("operationId".into(), namer.name(binding).into());
    operation.insert("tags".into(), json!([tag(binding)]));
    operation.insert("summary".into(), summary.into());
    operation.insert("description".into(), text.into());
    operation.insert("parameters".into(), parameters(binding, texts, schemas));
    if let Some(body) = request_body(binding, schemas) {
        operation.insert("requestBody".into(), body);
    }
    operation.insert("responses".into(), responses(binding, schemas));
    if is_open(binding) {
        operation.insert("security".into(), json!([]));
    }
    Value::Object(operation)
}

fn parameters(binding: &Binding, texts: &Texts, schemas: &mut Schemas<'_>) -> Value {
    let text = |field: &FieldDescriptor| texts.at(field.parent_message().parent_file().name(), field.path());
    let mut out = Vec::new();
    for field in &binding.fields {
        out.push(json!({
            "name": field.name(), "in": "path", "required": true, "description": text(field),
            "schema": {"type": "string"},
        }));
    }
    for field in binding.rpc.input().fields().filter(|field| is_free(binding, field) && !field.is_map()) {
        match field.kind() {
            Kind::Message(inner) if !inner.full_name().starts_with("google.protobuf.") => {}
            _ => out.push(json!({
                "name": field.json_name(), "in": "query", "description": text(&field),
                "schema": schemas.field(&field),
            })),
        }
    }
    if is_invoke(binding) {
        out.push(json!({
            "name": "record", "in": "query", "schema": {"type": "boolean"},
            "description": "With `wait`: answer with the record of the call instead of its result.",
        }));
    }
    let mut header = |field: &str, name: &str, text: &str| {
        if binding.rpc.input().get_field_by_name(field).is_some() {
            out.push(
                json!({"name": name, "in": "header", "description": text, "schema": {"type": "string"}}),
            );
        }
    };
    header("idempotency_key", "Idempotency-Key", "As `idempotencyKey`.");
    header("etag", "If-Match", "As `etag`.");
    header("create_only", "If-None-Match", "`*`: as `createOnly`.");
    Value::Array(out)
}

fn request_body(binding: &Binding, schemas: &mut Schemas<'_>) -> Option<Value> {
    Some(match &binding.body {
        BodyRule::None => return None,
        BodyRule::Field(field) if is_raw(field) => json!({"content": {"*/*": {}}}),
        BodyRule::All => {
            let schema = schemas.message(&binding.rpc.input());
            json!({"content": {"application/json": {"schema": schema}}})
        }
        BodyRule::Field(field) => {
            json!({"required": true, "content": {"application/json": {"schema": plain(schemas.field(field))}}})
        }
    })
}

/// A reference without the description of the field that it came from.
fn plain(schema: Value) -> Value {
    match schema.get("$ref") {
        Some(reference) => json!({"$ref": reference}),
        None => schema,
    }
}

fn responses(binding: &Binding, schemas: &mut Schemas<'_>) -> Value {
    let mut out = Map::new();
    let problem = json!({"$ref": "#/components/responses/Problem"});
    out.insert("default".into(), problem);
    if is_invoke(binding) {
        let state = schemas.message(&binding.rpc.descriptor.output());
        out.insert(
            "202".into(),
            json!({
                "description": "Accepted: the call's id and state.",
                "headers": {"Location": {"description": "The call's record.", "schema": {"type": "string"}}},
                "content": {"application/json": {"schema": state}},
            }),
        );
        out.insert("200".into(), json!({
            "description": "With `wait`: the function's own result, in http mode with the function's own status.",
            "headers": {
                "Eventflow-Invocation-Id": {"description": "The call's id.", "schema": {"type": "string"}},
                "Eventflow-Version": {"description": "The version that ran.", "schema": {"type": "integer"}},
                "Eventflow-Attempt": {"description": "The attempt that ended it.", "schema": {"type": "integer"}},
            },
            "content": {"*/*": {}},
        }));
        return Value::Object(out);
    }
    out.insert("200".into(), answer(binding, schemas));
    if binding.rpc.descriptor.output().get_field_by_name("created").is_some() {
        let mut created = answer(binding, schemas);
        if let Some(created) = created.as_object_mut() {
            created.insert("description".into(), "Created.".into());
        }
        out.insert("201".into(), created);
    }
    Value::Object(out)
}

fn answer(binding: &Binding, schemas: &mut Schemas<'_>) -> Value {
    if binding.answer.as_ref().is_some_and(is_raw) {
        return json!({"description": "The bytes, with their own content type.", "content": {"*/*": {}}});
    }
    let schema = match &binding.answer {
        None => schemas.message(&binding.rpc.descriptor.output()),
        Some(field) => plain(schemas.field(field)),
    };
    if binding.rpc.descriptor.is_server_streaming() {
        let text = "A stream, one message after the other. Also as a WebSocket. The last line of a stream that fails \
                    is `{\"error\": …}`; an empty line says that it is alive.";
        return json!({"description": text, "content": {
            "application/x-ndjson": {"schema": schema},
            "text/event-stream": {"schema": {"type": "string"}},
        }});
    }
    json!({"description": "The answer.", "content": {"application/json": {"schema": schema}}})
}

pub(super) fn problem_response() -> Value {
    json!({
        "description": "An error.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    })
}

/// Paths that are not of the contract.
pub(super) fn add_fixed(paths: &mut Map<String, Value>) {
    let get = |id: &str, text: &str, content_type: &str| {
        json!({"get": {
            "operationId": id, "summary": text, "security": [],
            "responses": {
                "200": {"description": text, "content": {content_type: {}}},
                "default": {"$ref": "#/components/responses/Problem"},
            },
        }})
    };
    paths.insert("/healthz".into(), get("healthz", "The process is alive.", "application/json"));
    paths.insert(
        "/readyz".into(),
        get("readyz", "The process and what it needs are ready; else 503.", "application/json"),
    );
    paths.insert("/metrics".into(), get("metrics", "Metrics for Prometheus.", "text/plain"));
    paths.insert("/openapi.json".into(), get("openapi", "This document.", "application/json"));
    let mut call = Map::new();
    call.insert(
        "parameters".into(),
        json!([
            {"name": "namespace", "in": "path", "required": true, "schema": {"type": "string"}},
            {"name": "name", "in": "path", "required": true, "schema": {"type": "string"}},
        ]),
    );
    for method in
        [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS]
    {
        let lower = method.as_str().to_ascii_lowercase();
        call.insert(
            lower.clone(),
            described(
                json!({
                    "operationId": format!("functionUrl_{lower}"),
                    "summary": "Calls a function by its own URL",
                    "security": [{"bearer": []}, {}],
                    "responses": {
                        "200": {"description": "Whatever the function answers.", "content": {"*/*": {}}},
                        "default": {"$ref": "#/components/responses/Problem"},
                    },
                }),
                "Any method and any path behind the name; streamed both ways, WebSockets included."
                    .to_owned(),
            ),
        );
    }
    paths.insert("/fn/{namespace}/{name}".into(), Value::Object(call));
}
