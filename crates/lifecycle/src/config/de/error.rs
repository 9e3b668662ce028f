//! An error of reading one value, which learns where it happened on its way out.

use crate::config::tree::Step;
use serde::de;
use std::fmt;

#[derive(Debug)]
pub(super) struct Error {
    pub(super) message: String,
    pub(super) path: Option<Vec<Step>>,
    /// The key that a table cannot do without.
    pub(super) missing: Option<&'static str>,
}

impl Error {
    pub(super) fn new(message: String) -> Self {
        Self { message, path: None, missing: None }
    }

    /// The innermost place counts.
    pub(super) fn at(mut self, path: &[Step]) -> Self {
        self.path.get_or_insert_with(|| path.to_vec());
        self
    }

    pub(super) fn only_at(mut self, path: &[Step]) -> Self {
        self.path = Some(path.to_vec());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let found: String = variant.chars().take(64).collect();
        let near = eventflow_domain::suggest::nearest(&found, expected.iter().copied());
        let hint = near.map(|near| format!(", did you mean {near:?}?")).unwrap_or_default();
        Self::new(format!("must be one of {}, is {found:?}{hint}", expected.join(", ")))
    }

    fn missing_field(field: &'static str) -> Self {
        Self { missing: Some(field), ..Self::new(format!("key {field:?} is missing")) }
    }
}
