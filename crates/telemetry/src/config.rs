//! What can be configured.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

/// How logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Text on a terminal, JSON lines elsewhere.
    #[default]
    Auto,
    Json,
    Text,
}

/// Logs and traces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The least level that is logged, and exceptions by target: `info,eventflow_store=debug`.
    pub level: String,
    /// How lines look: `json`, `text`, or `auto` = text on a terminal and JSON elsewhere.
    pub format: Format,
    /// Where spans go by OTLP over gRPC: `http://127.0.0.1:4317`. Empty = nowhere, and spans cost nothing.
    pub otlp_endpoint: String,
    /// The share of new traces that are sampled, 0 to 1; a trace that comes from outside keeps its decision.
    pub otlp_sample: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: Format::Auto,
            otlp_endpoint: String::new(),
            otlp_sample: 1.0,
        }
    }
}

impl Config {
    /// How long one export may take.
    pub const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

    /// What is wrong, as (key, message).
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.targets().is_none() {
            let message = "must be levels such as \"info\" or \"info,eventflow_store=debug\"";
            problems.push(("level", format!("{message}, is {:?}", self.level)));
        }
        let endpoint = &self.otlp_endpoint;
        let valid = |uri: http::Uri| uri.scheme_str() == Some("http") && uri.authority().is_some();
        if !endpoint.is_empty() && !endpoint.parse().is_ok_and(valid) {
            let message = "must be an address such as \"http://127.0.0.1:4317\" (https is not supported)";
            problems.push(("otlp_endpoint", format!("{message}, is {endpoint:?}")));
        }
        if !(0.0..=1.0).contains(&self.otlp_sample) {
            problems.push(("otlp_sample", format!("must be from 0 to 1, is {}", self.otlp_sample)));
        }
        problems
    }

    pub(crate) fn targets(&self) -> Option<Targets> {
        // By itself the parser would take a misspelt level for the name of a target.
        let level =
            |part: &str| part.rsplit('=').next().is_some_and(|text| text.parse::<LevelFilter>().is_ok());
        self.level.parse().ok().filter(|_| self.level.split(',').all(|part| level(part.trim())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_config_names_its_keys() {
        assert_eq!(Config::default().problems(), []);
        let bad = Config {
            level: "loud".into(),
            otlp_endpoint: "https://x:4317".into(),
            otlp_sample: f64::NAN,
            ..Config::default()
        };
        let keys: Vec<_> = bad.problems().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["level", "otlp_endpoint", "otlp_sample"]);
    }
}
