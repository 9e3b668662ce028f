//! Query parameters → fields: `a.b=1`, repeated, in either spelling of a name.

use super::pattern::check_escapes;
use super::table::{Binding, BodyRule, is_raw};
use super::{Problem, scalar, shown};
use eventflow_domain::{Violation, suggest};
use percent_encoding::percent_decode;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};

/// Parameters of one request.
const MAX_PARAMETERS: usize = 200;

/// Splits and decodes a query: `+` is a space, each value decoded once.
pub(crate) fn pairs(query: Option<&str>) -> Result<Vec<(String, String)>, Problem> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        check_escapes(&spaced).map_err(|at| format!("has a broken percent escape at position {at}"))?;
        let decoded = percent_decode(spaced.as_bytes()).decode_utf8();
        decoded
            .map(std::borrow::Cow::into_owned)
            .map_err(|error| format!("is not UTF-8 at byte {}", error.valid_up_to()))
    };
    let parts: Vec<&str> = query.unwrap_or_default().split('&').filter(|part| !part.is_empty()).collect();
    if parts.len() > MAX_PARAMETERS {
        return Err(Problem::invalid("query", format!("may have at most {MAX_PARAMETERS} parameters")));
    }
    parts
        .into_iter()
        .map(|part| {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let fault = |rule| Problem::invalid(shown(key), rule);
            Ok((decode(key).map_err(fault)?, decode(value).map_err(fault)?))
        })
        .collect()
}

/// Sets the fields that the query names.
pub(crate) fn apply(
    binding: &Binding,
    query: Option<&str>,
    message: &mut DynamicMessage,
) -> Result<(), Problem> {
    let mut faults = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for (key, value) in pairs(query)? {
        let result = resolve(binding, &key).and_then(|path| set(message, &path, &value, &mut seen));
        if let Err(rule) = result {
            faults.push(Violation::new(shown(&key), rule));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Problem::violations(faults)) }
}

/// The names that a query may use at the top.
fn names(binding: &Binding) -> Vec<String> {
    let of = binding.rpc.input();
    of.fields().filter(|field| is_free(binding, field)).map(|field| field.json_name().to_owned()).collect()
}

/// Neither the path nor the body holds it.
pub(crate) fn is_free(binding: &Binding, field: &FieldDescriptor) -> bool {
    let in_body = match &binding.body {
        BodyRule::None => false,
        BodyRule::All => true,
        BodyRule::Field(body) => body == field,
    };
    !in_body && !binding.fields.contains(field) && !is_raw(field)
}

fn resolve(binding: &Binding, key: &str) -> Result<Vec<FieldDescriptor>, String> {
    let unknown = || {
        let names = names(binding);
        suggest::unknown("query parameter", key, names.iter().map(String::as_str))
    };
    let mut path: Vec<FieldDescriptor> = Vec::new();
    let mut of: Option<MessageDescriptor> = Some(binding.rpc.input());
    for part in key.split('.').take(8) {
        let message = of.take().ok_or_else(unknown)?;
        let field = message
            .get_field_by_json_name(part)
            .or_else(|| message.get_field_by_name(part))
            .ok_or_else(unknown)?;
        if path.is_empty() && !is_free(binding, &field) {
            return Err(if binding.fields.contains(&field) {
                "is given by the path".to_owned()
            } else {
                unknown()
            });
        }
        of = match field.kind() {
            Kind::Message(inner) if !field.is_list() && !field.is_map() => Some(inner),
            _ => None,
        };
        path.push(field);
    }
    Ok(path)
}

fn set(
    message: &mut DynamicMessage,
    path: &[FieldDescriptor],
    text: &str,
    seen: &mut Vec<String>,
) -> Result<(), String> {
    let (field, parents) = path.split_last().ok_or("is no field")?;
    if field.is_map() {
        return Err("cannot be given in a query".to_owned());
    }
    let value = scalar::parse(&field.kind(), text)?;
    let mut at = message;
    for parent in parents {
        at = at.get_field_mut(parent).as_message_mut().ok_or("is no message")?;
    }
    if field.is_list() {
        at.get_field_mut(field).as_list_mut().ok_or("is no list")?.push(value);
        return Ok(());
    }
    let name = path.iter().map(FieldDescriptor::name).collect::<Vec<_>>().join(".");
    if seen.contains(&name) {
        return Err("is given twice".to_owned());
    }
    seen.push(name);
    at.set_field(field, value);
    Ok(())
}

/// A parameter of a typed route.
pub(crate) fn parse_duration(field: &'static str, text: &str) -> Result<std::time::Duration, Problem> {
    eventflow_domain::quantity::parse_duration(text)
        .map_err(|error| Problem::invalid(field, error.to_string()))
}
