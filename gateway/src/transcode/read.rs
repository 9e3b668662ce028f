//! JSON → message. Every bad field is named by its path; nothing is guessed.

use super::json::{Node, parse};
use super::scalar::{self, check_text};
use super::{Problem, shown};
use eventflow_domain::{Violation, suggest};
use http::StatusCode;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use std::collections::HashMap;
use std::fmt::Write as _;

/// Faults told at once.
const MAX_FAULTS: usize = 20;

/// Reads a body as a message.
pub(crate) fn message(body: &[u8], of: &MessageDescriptor) -> Result<DynamicMessage, Problem> {
    let node = parse(body)?;
    let mut reader = Reader::default();
    let value = reader.message(of, node);
    match value {
        Some(Value::Message(message)) if reader.broken.is_empty() && reader.mistyped.is_empty() => {
            Ok(message)
        }
        _ => Err(reader.problem()),
    }
}

#[derive(Default)]
struct Reader {
    path: String,
    /// Unknown and duplicate fields, and values that break a rule: 400.
    broken: Vec<Violation>,
    /// Values of another JSON type than the field's: 422.
    mistyped: Vec<Violation>,
}

impl Reader {
    fn problem(mut self) -> Problem {
        if !self.broken.is_empty() {
            self.broken.append(&mut self.mistyped);
            return Problem::violations(self.broken);
        }
        let mut problem = Problem::violations(self.mistyped);
        problem.status = StatusCode::UNPROCESSABLE_ENTITY;
        problem.reason = "WrongType".into();
        problem
    }

    fn fault(&mut self, rule: impl Into<String>) -> Option<Value> {
        if self.broken.len() < MAX_FAULTS {
            self.broken.push(Violation::new(self.path.clone(), rule));
        }
        None
    }

    fn wrong_type(&mut self, wanted: &str, found: &Node) -> Option<Value> {
        if self.mistyped.len() < MAX_FAULTS {
            let path = if self.path.is_empty() { "body" } else { &self.path };
            self.mistyped.push(Violation::new(path, format!("must be {wanted}, is {}", found.kind())));
        }
        None
    }

    /// Runs `read` with the path extended by `.name`.
    fn within<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.path.len();
        if before > 0 {
            self.path.push('.');
        }
        self.path.push_str(&shown(name));
        let result = read(self);
        self.path.truncate(before);
        result
    }

    fn message(&mut self, of: &MessageDescriptor, node: Node) -> Option<Value> {
        if let Node::Text(text) = &node
            && let Some(value) = scalar::well_known(of, text)
        {
            return value.map_or_else(|rule| self.fault(rule), Some);
        }
        let entries = match node {
            Node::Object(entries) if !is_textual(of) => entries,
            other => return self.wrong_type(if is_textual(of) { "a string" } else { "an object" }, &other),
        };
        let mut message = DynamicMessage::new(of.clone());
        let mut seen = Vec::new();
        for (key, node) in entries {
            let found = of.get_field_by_json_name(&key).or_else(|| of.get_field_by_name(&key));
            self.within(&key, |reader| {
                let Some(field) = found else {
                    let names: Vec<_> = of.fields().map(|field| field.json_name().to_owned()).collect();
                    return reader.fault(suggest::unknown("field", &key, names.iter().map(String::as_str)));
                };
                if seen.contains(&field.number()) {
                    return reader.fault("is given twice");
                }
                seen.push(field.number());
                if node != Node::Null
                    && let Some(value) = reader.field(&field, node)
                {
                    message.set_field(&field, value);
                }
                None
            });
        }
        Some(Value::Message(message))
    }

    fn field(&mut self, field: &FieldDescriptor, node: Node) -> Option<Value> {
        let kind = field.kind();
        if let (true, Kind::Message(entry)) = (field.is_map(), &kind) {
            return self.map(entry, node);
        }
        if !field.is_list() {
            return self.single(&kind, node);
        }
        let Node::List(nodes) = node else { return self.wrong_type("a list", &node) };
        let mut values = Vec::with_capacity(nodes.len());
        for (at, node) in nodes.into_iter().enumerate() {
            let before = self.path.len();
            let _infallible = write!(self.path, "[{at}]");
            values.extend(self.single(&kind, node));
            self.path.truncate(before);
        }
        Some(Value::List(values))
    }

    fn map(&mut self, entry: &MessageDescriptor, node: Node) -> Option<Value> {
        let Node::Object(entries) = node else { return self.wrong_type("an object", &node) };
        let (key_kind, value_kind) =
            (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
        let mut map = HashMap::with_capacity(entries.len());
        for (key, node) in entries {
            self.within(&key, |reader| {
                let parsed = match scalar::parse(&key_kind, &key) {
                    Ok(value) => value.into_map_key(),
                    Err(rule) => return reader.fault(rule),
                };
                let value = reader.single(&value_kind, node)?;
                if let Some(parsed) = parsed
                    && map.insert(parsed, value).is_some()
                {
                    return reader.fault("is given twice");
                }
                None
            });
        }
        Some(Value::Map(map))
    }

    fn single(&mut self, kind: &Kind, node: Node) -> Option<Value> {
        let read = match (kind, node) {
            (Kind::Message(of), node) => return self.message(of, node),
            (Kind::String, Node::Text(text)) => check_text(&text).map(|()| Value::String(text)),
            (Kind::Bool, Node::Bool(value)) => Ok(Value::Bool(value)),
            (Kind::Bytes, Node::Text(text)) => {
                scalar::parse_base64(&text).map(|bytes| Value::Bytes(bytes.into()))
            }
            (Kind::Enum(of), Node::Text(text)) => scalar::parse_enum(of, &text).map(Value::EnumNumber),
            (Kind::Enum(of), Node::Int(number)) => i32::try_from(number)
                .ok()
                .filter(|number| of.get_value(*number).is_some())
                .map(Value::EnumNumber)
                .ok_or_else(|| format!("has no value {number}")),
            (Kind::String | Kind::Bool | Kind::Bytes | Kind::Enum(_), node) => {
                return self.wrong_type(wanted(kind), &node);
            }
            // proto3 JSON: numbers may be strings, and are where they have 64 bits.
            (_, Node::Text(text)) if !text.is_empty() => scalar::parse(kind, &text),
            (_, Node::Int(number)) => scalar::parse(kind, &number.to_string()),
            (_, Node::UInt(number)) => scalar::parse(kind, &number.to_string()),
            (_, Node::Float(number)) => scalar::parse(kind, &number.to_string()),
            (_, node) => return self.wrong_type(wanted(kind), &node),
        };
        read.map_or_else(|rule| self.fault(rule), Some)
    }
}

/// Messages that JSON writes as a string.
fn is_textual(of: &MessageDescriptor) -> bool {
    matches!(of.full_name(), "google.protobuf.Timestamp" | "google.protobuf.Duration")
}

fn wanted(kind: &Kind) -> &'static str {
    match kind {
        Kind::String | Kind::Enum(_) => "a string",
        Kind::Bool => "a boolean",
        Kind::Bytes => "a string of base64",
        Kind::Message(_) => "an object",
        _ => "a number",
    }
}
