//! Single values as people write them, in a path, a query or JSON.

use prost_reflect::{DynamicMessage, EnumDescriptor, Kind, MessageDescriptor, ReflectMessage as _, Value};
use std::fmt::Write as _;

/// Why a text is not a value of its field: it completes "<field>: …".
pub(crate) type Rule = String;

/// The part of an enum's value names that repeats the enum's own name: `INVOCATION_STATE_`.
pub(crate) fn enum_prefix(of: &EnumDescriptor) -> String {
    let mut prefix = String::new();
    for (at, c) in of.name().chars().enumerate() {
        if c.is_ascii_uppercase() && at > 0 {
            prefix.push('_');
        }
        prefix.push(c.to_ascii_uppercase());
    }
    prefix.push('_');
    prefix
}

/// The value of an enum as it is printed: without the prefix.
pub(crate) fn enum_text<'a>(name: &'a str, prefix: &str) -> &'a str {
    name.strip_prefix(prefix).filter(|rest| !rest.is_empty()).unwrap_or(name)
}

/// Reads an enum in any case, with or without its prefix.
pub(crate) fn parse_enum(of: &EnumDescriptor, text: &str) -> Result<i32, Rule> {
    let prefix = enum_prefix(of);
    let values: Vec<_> = of.values().collect();
    let same =
        |name: &str| name.eq_ignore_ascii_case(text) || enum_text(name, &prefix).eq_ignore_ascii_case(text);
    if let Some(value) = values.iter().find(|value| same(value.name())) {
        return Ok(value.number());
    }
    let names: Vec<_> = values
        .iter()
        .filter(|value| value.number() != 0)
        .map(|value| enum_text(value.name(), &prefix))
        .collect();
    let unknown = eventflow_domain::suggest::unknown("value", text, names.iter().copied());
    Err(format!("{unknown} (one of {})", names.join(", ")))
}

/// Text fields hold no NUL: nothing behind us could keep it.
pub(crate) fn check_text(text: &str) -> Result<(), Rule> {
    match text.find('\0') {
        Some(at) => Err(format!("must not contain NUL (byte {at})")),
        None => Ok(()),
    }
}

/// Reads a value of a path or a query.
pub(crate) fn parse(kind: &Kind, text: &str) -> Result<Value, Rule> {
    fn number<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, Rule> {
        text.parse().map_err(|_| format!("must be {what}, is {:?}", super::shown(text)))
    }
    Ok(match kind {
        Kind::String => {
            check_text(text)?;
            Value::String(text.to_owned())
        }
        Kind::Bool => match text {
            // `?follow` alone says yes.
            "true" | "1" | "" => Value::Bool(true),
            "false" | "0" => Value::Bool(false),
            _ => return Err(format!("must be true or false, is {:?}", super::shown(text))),
        },
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(number(text, "an integer of 32 bits")?),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(number(text, "an integer of 64 bits")?),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(number(text, "an integer of 32 bits, not negative")?),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(number(text, "an integer of 64 bits, not negative")?),
        Kind::Float => Value::F32(number(text, "a number")?),
        Kind::Double => Value::F64(number(text, "a number")?),
        Kind::Enum(of) => Value::EnumNumber(parse_enum(of, text)?),
        Kind::Bytes => Value::Bytes(parse_base64(text)?.into()),
        Kind::Message(message) => match well_known(message, text) {
            Some(value) => value?,
            None => return Err("cannot be given as one value".to_owned()),
        },
    })
}

pub(crate) fn parse_base64(text: &str) -> Result<Vec<u8>, Rule> {
    use base64::Engine as _;
    use base64::alphabet::{STANDARD, URL_SAFE};
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = if text.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    GeneralPurpose::new(&alphabet, config).decode(text).map_err(|error| format!("must be base64: {error}"))
}

/// Reads the messages that JSON writes as a string: times and durations. None: it is no such message.
pub(crate) fn well_known(message: &MessageDescriptor, text: &str) -> Option<Result<Value, Rule>> {
    let (seconds, nanos) = match message.full_name() {
        "google.protobuf.Timestamp" => match text.parse::<prost_types::Timestamp>() {
            Ok(time) => (time.seconds, time.nanos),
            Err(_) => return Some(Err(not_a("a time such as \"2026-11-22T19:02:42Z\" (RFC 3339)", text))),
        },
        "google.protobuf.Duration" => match duration(text) {
            Some(parts) => parts,
            None => {
                return Some(Err(not_a("a duration such as \"30s\", \"1.5s\", \"5m\" or \"1h30m\"", text)));
            }
        },
        _ => return None,
    };
    let mut value = DynamicMessage::new(message.clone());
    let set = value
        .try_set_field_by_name("seconds", Value::I64(seconds))
        .and_then(|()| value.try_set_field_by_name("nanos", Value::I32(nanos)));
    Some(set.map(|()| Value::Message(value)).map_err(|error| error.to_string()))
}

fn not_a(what: &str, text: &str) -> Rule {
    format!("must be {what}, is {:?}", super::shown(text))
}

/// The manifest's grammar, and what proto3 JSON adds to it: fractions of seconds.
fn duration(text: &str) -> Option<(i64, i32)> {
    if let Ok(duration) = eventflow_domain::quantity::parse_duration(text) {
        return Some((i64::try_from(duration.as_secs()).ok()?, duration.subsec_nanos() as i32));
    }
    let (seconds, fraction) = text.strip_suffix('s')?.split_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(seconds) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    Some((seconds.parse().ok()?, format!("{fraction:0<9}").parse().ok()?))
}

/// Writes the messages that JSON writes as a string. None: it is no such message.
pub(crate) fn write_well_known(message: &DynamicMessage) -> Option<String> {
    let of = message.descriptor();
    let name = of.full_name();
    if !matches!(name, "google.protobuf.Timestamp" | "google.protobuf.Duration") {
        return None;
    }
    let seconds = message.get_field_by_name("seconds")?.as_i64()?;
    let nanos = message.get_field_by_name("nanos")?.as_i32()?;
    if name == "google.protobuf.Timestamp" {
        return Some(prost_types::Timestamp { seconds, nanos }.to_string());
    }
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    let mut text = format!("{sign}{}", seconds.unsigned_abs());
    if nanos != 0 {
        let fraction = format!("{:09}", nanos.unsigned_abs());
        let _infallible = write!(text, ".{}", fraction.trim_end_matches('0'));
    }
    text.push('s');
    Some(text)
}
