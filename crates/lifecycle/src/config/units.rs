//! Durations and sizes as the manifest writes them; for `#[serde(with = "…")]`.

/// A [`std::time::Duration`] as `30s`, `1h30m`, `250ms`.
pub mod duration {
    use eventflow_domain::quantity::{format_duration, parse_duration};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use std::time::Duration;

    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format_duration(*duration))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_duration(&text).map_err(D::Error::custom)
    }
}

/// A number of bytes as `256Ki`, `64Mi`, `1Gi`.
pub mod bytes {
    use eventflow_domain::quantity::Memory;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(bytes: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Memory(*bytes).to_string())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse::<Memory>().map(|memory| memory.0).map_err(D::Error::custom)
    }
}
