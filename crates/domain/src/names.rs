//! Names that reach a URL, a subject, a path or a cluster: parsed once, trusted from then on.

use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Why a text is not a name. The offending character is escaped, so that it can be printed anywhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("must not be empty")]
    Empty,
    #[error("must have at most {max} characters, has {found}")]
    TooLong { max: usize, found: usize },
    #[error("must start with {rule}, starts with '{}'", .found.escape_default())]
    Start { rule: &'static str, found: char },
    #[error("must end with {rule}, ends with '{}'", .found.escape_default())]
    End { rule: &'static str, found: char },
    #[error("must contain {rule} only, has '{}' at position {at}", .found.escape_default())]
    Char { rule: &'static str, found: char, at: usize },
}

const LABEL: &str = "lower-case letters, digits and '-' (DNS-1123 label)";
const LETTER: &str = "a lower-case letter";
const ALNUM: &str = "a lower-case letter or a digit";

fn bounded(text: &str, max: usize) -> Result<(), NameError> {
    let found = text.chars().count();
    match found {
        0 => Err(NameError::Empty),
        _ if found > max => Err(NameError::TooLong { max, found }),
        _ => Ok(()),
    }
}

fn check_chars(text: &str, rule: &'static str, allowed: impl Fn(char) -> bool) -> Result<(), NameError> {
    match text.chars().enumerate().find(|&(_, c)| !allowed(c)) {
        Some((at, found)) => Err(NameError::Char { rule, found, at }),
        None => Ok(()),
    }
}

fn is_alnum(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

fn ends(text: &str, start: &'static str, starts: impl Fn(char) -> bool) -> Result<(), NameError> {
    if let Some(found) = text.chars().next().filter(|&c| !starts(c)) {
        return Err(NameError::Start { rule: start, found });
    }
    match text.chars().next_back().filter(|&c| !is_alnum(c)) {
        Some(found) => Err(NameError::End { rule: ALNUM, found }),
        None => Ok(()),
    }
}

fn function_name(text: &str) -> Result<(), NameError> {
    bounded(text, 44)?;
    check_chars(text, LABEL, |c| is_alnum(c) || c == '-')?;
    ends(text, LETTER, |c| c.is_ascii_lowercase())
}

fn namespace(text: &str) -> Result<(), NameError> {
    bounded(text, 63)?;
    check_chars(text, LABEL, |c| is_alnum(c) || c == '-')?;
    ends(text, ALNUM, is_alnum)
}

fn config_name(text: &str) -> Result<(), NameError> {
    const RULE: &str = "lower-case letters, digits, '-' and '.' (DNS-1123 subdomain)";
    bounded(text, 253)?;
    check_chars(text, RULE, |c| is_alnum(c) || c == '-' || c == '.')?;
    ends(text, ALNUM, is_alnum)
}

fn env_name(text: &str) -> Result<(), NameError> {
    const RULE: &str = "letters, digits and '_'";
    const START: &str = "a letter or '_'";
    bounded(text, 256)?;
    check_chars(text, RULE, |c| c.is_ascii_alphanumeric() || c == '_')?;
    match text.chars().next().filter(char::is_ascii_digit) {
        Some(found) => Err(NameError::Start { rule: START, found }),
        None => Ok(()),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                $check(text)?;
                Ok(Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name!(
    /// A function's name: a DNS label of at most 44 characters that starts with a letter (RFC 1123; the bound leaves
    /// room for the names of Jobs made from it).
    FunctionName, function_name
);
name!(
    /// A namespace: a DNS label of at most 63 characters (RFC 1123).
    Namespace, namespace
);
name!(
    /// The name of a secret or config: a DNS subdomain of at most 253 characters (RFC 1123).
    ConfigName, config_name
);
name!(
    /// The name of an environment variable: letters, digits and `_`, at most 256 characters (POSIX).
    EnvName, env_name
);

impl Namespace {
    /// The namespace of every request that names none.
    pub fn default_namespace() -> Self {
        Self("default".into())
    }
}

impl EnvName {
    /// The prefix kept for what EventFlow itself tells a function.
    pub const RESERVED_PREFIX: &'static str = "EVENTFLOW_";

    /// Names set by EventFlow, which a function cannot declare.
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with(Self::RESERVED_PREFIX)
            || matches!(self.as_str(), "TRACEPARENT" | "TRACESTATE" | "PORT")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refusals_name_the_rule_and_the_escaped_character() {
        let refused = |text: &str| text.parse::<FunctionName>().expect_err(text).to_string();
        assert_eq!(refused(""), "must not be empty");
        assert_eq!(refused(&"a".repeat(45)), "must have at most 44 characters, has 45");
        assert_eq!(refused("1a"), "must start with a lower-case letter, starts with '1'");
        assert_eq!(refused("a-"), "must end with a lower-case letter or a digit, ends with '-'");
        assert!(refused("A").contains("'A' at position 0"));
        assert!(refused("a/b").contains("'/' at position 1"));
        assert!(refused("a..b").contains("'.' at position 1"));
        assert!(refused("a\0").contains(r"'\u{0}'"));
        assert!(refused("а").contains(r"'\u{430}'"), "a homoglyph is shown as its code point");
    }

    #[test]
    fn reserved_environment_names_are_known() {
        for name in ["EVENTFLOW_X", "TRACEPARENT", "PORT"] {
            assert!(name.parse::<EnvName>().expect("valid").is_reserved(), "{name}");
        }
        assert!(!"PATH".parse::<EnvName>().expect("valid").is_reserved());
        assert!("A=B".parse::<EnvName>().is_err());
    }

    proptest! {
        #[test]
        fn a_name_that_parses_is_safe_everywhere(text in ".{0,80}") {
            if let Ok(name) = text.parse::<FunctionName>() {
                prop_assert!(name.as_str().len() <= 44);
                prop_assert!(name.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
                prop_assert_eq!(name.to_string(), text);
            }
        }

        #[test]
        fn every_label_is_a_name(text in "[a-z]([a-z0-9-]{0,42}[a-z0-9])?") {
            prop_assert!(text.parse::<FunctionName>().is_ok());
            prop_assert!(text.parse::<Namespace>().is_ok());
            prop_assert!(text.parse::<ConfigName>().is_ok());
        }
    }
}
