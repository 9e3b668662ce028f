use crate::config::GatewayConfig;
use crate::problem::Problem;
use crate::transcode::query::{pairs, parse_duration};
use eventflow_domain::VersionNumber;
use eventflow_domain::quantity::format_duration;
use std::time::Duration;

/// The parameters of a call.
#[derive(Debug, Default)]
pub(super) struct Query {
    pub(super) wait: Option<Duration>,
    pub(super) delay: Option<Duration>,
    pub(super) version: Option<VersionNumber>,
    pub(super) idempotency_key: Option<String>,
    /// Answer with the record instead of the result.
    pub(super) record: bool,
}

const NAMES: [&str; 5] = ["wait", "delay", "version", "idempotencyKey", "record"];

impl Query {
    pub(super) fn parse(query: Option<&str>, config: &GatewayConfig) -> Result<Self, Problem> {
        let mut found = Self::default();
        let mut seen = Vec::new();
        for (key, value) in pairs(query)? {
            let name = if key == "idempotency_key" { "idempotencyKey" } else { key.as_str() };
            let Some(name) = NAMES.into_iter().find(|known| *known == name) else {
                return Err(Problem::unknown_parameter(&key, NAMES));
            };
            if seen.contains(&name) {
                return Err(Problem::invalid(name, "is given twice"));
            }
            seen.push(name);
            found.set(name, &value, config)?;
        }
        if found.wait.is_some() && found.delay.is_some_and(|delay| !delay.is_zero()) {
            return Err(Problem::invalid("delay", "a delayed call cannot be waited for: give wait or delay"));
        }
        Ok(found)
    }

    fn set(&mut self, name: &'static str, value: &str, config: &GatewayConfig) -> Result<(), Problem> {
        match name {
            // Zero is not to wait.
            "wait" => self.wait = Some(bounded(name, value, config.max_wait)?).filter(|wait| !wait.is_zero()),
            "delay" => self.delay = Some(bounded(name, value, config.max_delay)?),
            "version" => {
                let version = value.parse().ok().filter(|version| *version >= 1);
                let version =
                    version.ok_or_else(|| Problem::invalid(name, "must be a version: 1, 2, 3 …"))?;
                self.version = Some(VersionNumber(version));
            }
            "record" => {
                self.record = match value {
                    "true" | "1" | "" => true,
                    "false" | "0" => false,
                    _ => return Err(Problem::invalid(name, "must be true or false")),
                }
            }
            _ => {
                if !(1..=255).contains(&value.len()) || !value.bytes().all(|b| (b' '..=b'~').contains(&b)) {
                    return Err(Problem::invalid(name, "must be 1 to 255 printable ASCII characters"));
                }
                self.idempotency_key = Some(value.to_owned());
            }
        }
        Ok(())
    }
}

fn bounded(name: &'static str, value: &str, max: Duration) -> Result<Duration, Problem> {
    let duration = parse_duration(name, value)?;
    if duration > max {
        return Err(Problem::invalid(name, format!("must be at most {}", format_duration(max))));
    }
    Ok(duration)
}
