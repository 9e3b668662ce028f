//! How the streams must look, and where they do not.

use super::config::Config;
use super::names::Names;
use async_nats::jetstream::stream::{self, DiscardPolicy, RetentionPolicy, StorageType};
use serde_json::Value;
use std::fmt;

/// Largest message that either stream takes. Messages of work are some 200 bytes.
const MAX_MESSAGE: i32 = 64 << 10;
/// CloudEvents kept at most; the oldest go first. No bound in bytes: the server would set them aside.
const MAX_FUNCTION_EVENTS: i64 = 1_000_000;

/// What is asserted; the rest (placement, compression, description …) is the operator's.
const ASSERTED: [&str; 20] = [
    "subjects",
    "retention",
    "storage",
    "discard",
    "discard_new_per_subject",
    "max_age",
    "max_msgs",
    "max_bytes",
    "max_msgs_per_subject",
    "max_msg_size",
    "max_consumers",
    "num_replicas",
    "duplicate_window",
    "no_ack",
    "sealed",
    "deny_delete",
    "deny_purge",
    "mirror",
    "sources",
    "subject_transform",
];

/// A stream that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    pub stream: String,
    /// As the server names it; `stream` where the whole is missing, `consumer` for one that is not ours.
    pub field: &'static str,
    pub found: String,
    pub wanted: String,
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stream {}: {} is {}, must be {}", self.stream, self.field, self.found, self.wanted)
    }
}

impl Drift {
    pub(super) fn missing(stream: &str) -> Self {
        Self {
            stream: stream.to_owned(),
            field: "stream",
            found: "missing".to_owned(),
            wanted: "there".to_owned(),
        }
    }

    /// It is there and takes nothing.
    pub(super) fn stuck(stream: &str) -> Self {
        Self {
            stream: stream.to_owned(),
            field: "writes",
            found: "refused since one failed".to_owned(),
            wanted: "confirmed".to_owned(),
        }
    }

    pub(super) fn foreign(stream: &str, consumer: &str) -> Self {
        Self {
            stream: stream.to_owned(),
            field: "consumer",
            found: consumer.to_owned(),
            wanted: "one for each function only".to_owned(),
        }
    }
}

/// Work: each message until it is acked, refused rather than lost when the stream is full.
pub(super) fn events(config: &Config, names: &Names) -> stream::Config {
    stream::Config {
        name: names.events_stream.clone(),
        subjects: names.events_subjects(),
        retention: RetentionPolicy::WorkQueue,
        discard: DiscardPolicy::New,
        max_messages: config.max_messages,
        max_bytes: config.max_bytes.unwrap_or(-1),
        max_consumers: config.max_consumers,
        duplicate_window: config.duplicate_window,
        ..common(config)
    }
}

/// News of functions for anyone, for a while.
pub(super) fn functions(config: &Config, names: &Names) -> stream::Config {
    stream::Config {
        name: names.function_events_stream.clone(),
        subjects: names.function_subjects(),
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        max_age: config.function_events_max_age,
        max_messages: MAX_FUNCTION_EVENTS,
        max_bytes: -1,
        max_consumers: -1,
        duplicate_window: config.duplicate_window.min(config.function_events_max_age),
        ..common(config)
    }
}

fn common(config: &Config) -> stream::Config {
    stream::Config {
        storage: StorageType::File,
        num_replicas: config.replicas,
        max_messages_per_subject: -1,
        max_message_size: MAX_MESSAGE,
        ..stream::Config::default()
    }
}

/// Where `found` differs in what is asserted.
pub(super) fn drifts(wanted: &stream::Config, found: &stream::Config) -> Vec<Drift> {
    let (want, have) = (fields(wanted), fields(found));
    let differs = |field: &&'static str| {
        let (wanted_value, found_value) = (value(&want, field), value(&have, field));
        (wanted_value != found_value).then(|| Drift {
            stream: wanted.name.clone(),
            field,
            found: found_value.to_string(),
            wanted: wanted_value.to_string(),
        })
    };
    ASSERTED.iter().filter_map(differs).collect()
}

fn fields(config: &stream::Config) -> Value {
    serde_json::to_value(config).unwrap_or_default()
}

/// The server and the library leave out what is off.
fn value(config: &Value, field: &str) -> Value {
    match config.get(field) {
        None | Some(Value::Null | Value::Bool(false)) => Value::Null,
        Some(Value::Array(items)) if items.is_empty() => Value::Null,
        Some(Value::Number(number)) if number.as_i64() == Some(0) => Value::Null,
        Some(other) => other.clone(),
    }
}

/// `found` with what is asserted set right, and what is the operator's kept.
pub(super) fn repaired(wanted: &stream::Config, found: &stream::Config) -> stream::Config {
    stream::Config {
        metadata: found.metadata.clone(),
        description: found.description.clone(),
        placement: found.placement.clone(),
        compression: found.compression.clone(),
        allow_direct: found.allow_direct,
        republish: found.republish.clone(),
        ..wanted.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drift_names_field_found_and_wanted() {
        let config = Config::default();
        let wanted = events(&config, &Names::new(&config));
        assert_eq!(drifts(&wanted, &wanted), []);
        let edited = stream::Config {
            discard: DiscardPolicy::Old,
            no_ack: true,
            description: Some("mine".to_owned()),
            ..wanted.clone()
        };
        let found: Vec<String> = drifts(&wanted, &edited).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                r#"stream EVENTFLOW_EVENTS: discard is "old", must be "new""#,
                "stream EVENTFLOW_EVENTS: no_ack is true, must be null",
            ]
        );
        let repaired = repaired(&wanted, &edited);
        assert_eq!((drifts(&wanted, &repaired), repaired.description), (Vec::new(), edited.description));
    }
}
