//! Message → proto3 JSON, in lowerCamelCase, fields in the order of the contract.
//!
//! Left out: what is not set, empty texts, unspecified enums, empty maps and lists. Always there: numbers and
//! booleans that cannot be unset (`"lost": 0`, `"changed": false`), and the lists of the answer itself
//! (`{"functions": []}`), so that a script need not ask whether they are there. Enums lose their prefix, integers
//! of 64 bits are strings, bytes are base64.

use super::scalar::{enum_prefix, enum_text, write_well_known};
use base64::Engine as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage as _, Value};
use std::borrow::Cow;
use std::io::Write as _;

/// Writes the answer: `message`, or the one field of it that the binding names.
pub(crate) fn answer(message: &DynamicMessage, field: Option<&FieldDescriptor>, out: &mut Vec<u8>) {
    match field {
        None => write_message(message, true, out),
        Some(field) => match message.get_field(field).as_ref() {
            Value::Message(inner) => write_message(inner, true, out),
            value => write_field(field, value, out),
        },
    }
}

fn write_message(message: &DynamicMessage, top: bool, out: &mut Vec<u8>) {
    if let Some(text) = write_well_known(message) {
        return write_text(&text, out);
    }
    let before = out.len();
    out.push(b'{');
    for field in message.descriptor().fields() {
        let value = message.get_field(&field);
        if !is_written(message, &field, &value, top) {
            continue;
        }
        if out.len() > before + 1 {
            out.push(b',');
        }
        write_text(field.json_name(), out);
        out.push(b':');
        write_field(&field, &value, out);
    }
    out.push(b'}');
}

fn is_written(message: &DynamicMessage, field: &FieldDescriptor, value: &Value, top: bool) -> bool {
    if field.supports_presence() || field.containing_oneof().is_some() || field.is_map() {
        return message.has_field(field);
    }
    if field.is_list() {
        return top || message.has_field(field);
    }
    match value {
        Value::String(text) => !text.is_empty(),
        Value::Bytes(bytes) => !bytes.is_empty(),
        Value::EnumNumber(number) => *number != 0,
        _ => true,
    }
}

fn write_field(field: &FieldDescriptor, value: &Value, out: &mut Vec<u8>) {
    let kind = field.kind();
    match (value, &kind) {
        (Value::List(values), _) => {
            out.push(b'[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_single(&kind, value, out);
            }
            out.push(b']');
        }
        (Value::Map(map), Kind::Message(entry)) => {
            let of = entry.map_entry_value_field().kind();
            let mut entries: Vec<_> = map.iter().map(|(key, value)| (key_text(key), value)).collect();
            entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            out.push(b'{');
            for (at, (key, value)) in entries.into_iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_text(&key, out);
                out.push(b':');
                write_single(&of, value, out);
            }
            out.push(b'}');
        }
        _ => write_single(&kind, value, out),
    }
}

fn write_single(kind: &Kind, value: &Value, out: &mut Vec<u8>) {
    // Writing to a Vec cannot fail.
    let _infallible = match value {
        Value::Bool(value) => write!(out, "{value}"),
        Value::I32(value) => write!(out, "{value}"),
        Value::U32(value) => write!(out, "{value}"),
        Value::I64(value) => write!(out, "\"{value}\""),
        Value::U64(value) => write!(out, "\"{value}\""),
        Value::F32(value) => return write_float(f64::from(*value), out),
        Value::F64(value) => return write_float(*value, out),
        Value::String(text) => return write_text(text, out),
        Value::Bytes(bytes) => write!(out, "\"{}\"", base64::engine::general_purpose::STANDARD.encode(bytes)),
        Value::EnumNumber(number) => match kind {
            Kind::Enum(of) => match of.get_value(*number) {
                Some(value) => return write_text(enum_text(value.name(), &enum_prefix(of)), out),
                None => write!(out, "{number}"),
            },
            _ => write!(out, "{number}"),
        },
        Value::Message(message) => return write_message(message, false, out),
        Value::List(_) | Value::Map(_) => write!(out, "null"),
    };
}

fn write_float(value: f64, out: &mut Vec<u8>) {
    let text = match value {
        value if value.is_nan() => "\"NaN\"".into(),
        f64::INFINITY => "\"Infinity\"".into(),
        f64::NEG_INFINITY => "\"-Infinity\"".into(),
        value => value.to_string(),
    };
    out.extend_from_slice(text.as_bytes());
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    if serde_json::to_writer(&mut *out, text).is_err() {
        out.extend_from_slice(b"null");
    }
}

fn key_text(key: &MapKey) -> Cow<'_, str> {
    match key {
        MapKey::Bool(key) => key.to_string().into(),
        MapKey::I32(key) => key.to_string().into(),
        MapKey::I64(key) => key.to_string().into(),
        MapKey::U32(key) => key.to_string().into(),
        MapKey::U64(key) => key.to_string().into(),
        MapKey::String(key) => key.as_str().into(),
    }
}
