//! The rules of a Function in a cluster: the domain's, and those of this shape.

use crate::{Function, FunctionSpec, draft, key};
use eventflow_domain::{FunctionKey, Violation, spec as domain};
use std::fmt;

/// The broken rules, each with its field as the Function names it (`metadata.name`, `spec.port`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub Vec<Violation>);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, violation) in self.0.iter().enumerate() {
            let sep = if at == 0 { "" } else { "; " };
            write!(f, "{sep}{}: {}", violation.field, violation.description)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}

/// Checks a whole object. Every broken rule is reported, not only the first.
pub fn validate(object: &Function) -> Result<(FunctionKey, domain::FunctionSpec), Refused> {
    match (key(&object.metadata), validate_spec(&object.spec)) {
        (Ok(key), Ok(spec)) => Ok((key, spec)),
        (key, spec) => {
            let mut violations = key.err().unwrap_or_default();
            violations.extend(spec.err().into_iter().flat_map(|refused| refused.0));
            Err(Refused(violations))
        }
    }
}

/// Checks what is declared.
pub fn validate_spec(spec: &FunctionSpec) -> Result<domain::FunctionSpec, Refused> {
    let checked = draft(spec).validate();
    let mut violations = checked.as_ref().err().cloned().unwrap_or_default();
    if spec.runtime == crate::Runtime::Process {
        violations.insert(
            0,
            Violation::new(
                "runtime",
                "process runs on one machine only (`eventflow dev`): in a cluster use container or wasm",
            ),
        );
    }
    for violation in &mut violations {
        violation.field.insert_str(0, "spec.");
    }
    match checked {
        Ok(spec) if violations.is_empty() => Ok(spec),
        _ => Err(Refused(violations)),
    }
}
