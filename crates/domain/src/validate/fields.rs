//! Collects violations; one method for each kind of field.

use crate::error::Violation;
use crate::names::ConfigName;
use crate::quantity::{format_duration, parse_duration};
use crate::spec::Egress;
use std::ops::RangeInclusive;
use std::time::Duration;

#[derive(Debug, Default)]
pub(super) struct Checker(Vec<Violation>);

/// The allowed values of a duration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub(super) min: Duration,
    pub(super) max: Duration,
}

/// At most 64 characters of what a caller wrote, control characters escaped.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_debug).collect()
}

impl Checker {
    pub(super) fn add(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.0.push(Violation::new(field, description));
    }

    pub(super) fn finish<T>(self, value: T) -> Result<T, Vec<Violation>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }

    pub(super) fn whole(&mut self, field: &str, value: i64, range: RangeInclusive<i64>) -> Option<i64> {
        if range.contains(&value) {
            return Some(value);
        }
        self.add(field, format!("must be from {} to {}, is {value}", range.start(), range.end()));
        None
    }

    pub(super) fn fraction(&mut self, field: &str, value: f64, range: RangeInclusive<f64>) -> Option<f64> {
        if range.contains(&value) {
            return Some(value);
        }
        self.add(field, format!("must be from {} to {}, is {value}", range.start(), range.end()));
        None
    }

    pub(super) fn duration(&mut self, field: &str, text: &str, default: Duration, range: Range) -> Duration {
        if text.is_empty() {
            return default;
        }
        match parse_duration(text) {
            Ok(duration) if (range.min..=range.max).contains(&duration) => duration,
            result => {
                let problem = match result {
                    Err(error) => error.to_string(),
                    Ok(_) => format!("is {:?}", shown(text)),
                };
                let (min, max) = (format_duration(range.min), format_duration(range.max));
                self.add(field, format!("{problem}; allowed: {min} to {max}"));
                default
            }
        }
    }

    pub(super) fn name(&mut self, field: &str, text: &str) -> Option<ConfigName> {
        match text.parse() {
            Ok(name) => Some(name),
            Err(error) => {
                self.add(field, format!("{error}"));
                None
            }
        }
    }

    /// `host:port` or `[v6]:port`.
    pub(super) fn egress(&mut self, index: usize, text: &str) -> Option<Egress> {
        let egress = text.rsplit_once(':').and_then(|(host, port)| {
            let port = port.parse::<u16>().ok().filter(|&port| port != 0)?;
            let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            let fine = match inner {
                Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
                None => {
                    !host.is_empty()
                        && host.len() <= 253
                        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
                }
            };
            fine.then(|| Egress { host: host.to_ascii_lowercase(), port })
        });
        if egress.is_none() {
            self.add(format!("egress[{index}]"), format!("must be host:port, is {:?}", shown(text)));
        }
        egress
    }
}
