//! Wire ↔ domain. Reading parses and names every bad field; writing cannot fail.

mod activity;
mod function;
mod invocation;
mod record;
mod time;

pub use activity::{activity_to_wire, step_to_wire};
pub use function::{
    apply_target, draft, function_to_wire, list_filters, readiness_state, runtime_to_wire, stats_to_wire,
    version_to_wire,
};
pub use invocation::{
    dead_letter_group_to_wire, filter_from_wire, invocation_to_wire, log_line_to_wire, source_to_wire,
    start_to_wire, state_from_wire, state_to_wire, stream_from_wire,
};
pub use record::{invocation_from_record, source_from_wire, start_from_wire};
pub use time::{duration_from_wire, duration_to_wire, timestamp_from_wire, timestamp_to_wire};

use eventflow_domain::names::NameError;
use eventflow_domain::{Error, FunctionKey, FunctionName, InvocationId, Namespace, Result, Violation};

/// The namespace of a request; the default one where none is given.
pub fn namespace(text: &str) -> Result<Namespace> {
    if text.is_empty() {
        return Ok(Namespace::default_namespace());
    }
    text.parse().map_err(|error: NameError| Error::invalid("namespace", error.to_string()))
}

/// A namespace to list; `None` for all (`-`).
pub fn namespace_or_all(text: &str) -> Result<Option<Namespace>> {
    if text == "-" { Ok(None) } else { namespace(text).map(Some) }
}

/// A function's name; `field` is how the request calls it.
pub fn function_name(field: &str, text: &str) -> Result<FunctionName> {
    text.parse().map_err(|error: NameError| Error::invalid(field, error.to_string()))
}

pub fn function_key(namespace_text: &str, name: &str) -> Result<FunctionKey> {
    Ok(FunctionKey::new(namespace(namespace_text)?, function_name("name", name)?))
}

pub fn invocation_id(text: &str) -> Result<InvocationId> {
    text.parse().map_err(|error: eventflow_domain::ids::IdError| Error::invalid("id", error.to_string()))
}

/// Refuses enums' values that are not known, each by the name of its field.
fn known_values(fields: impl IntoIterator<Item = (&'static str, i32, bool)>) -> Result<()> {
    let unknown = fields.into_iter().filter(|(_, _, known)| !known);
    let violations: Vec<_> =
        unknown.map(|(field, value, _)| Violation::new(field, format!("unknown value {value}"))).collect();
    if violations.is_empty() { Ok(()) } else { Err(Error::violations(violations)) }
}
