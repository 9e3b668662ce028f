//! Identifiers that EventFlow makes.

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use uuid::Uuid;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be {expected}")]
pub struct IdError {
    expected: &'static str,
}

/// An invocation's id: a UUIDv7 (RFC 9562), so ids sort by the time of the call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InvocationId(Uuid);

impl InvocationId {
    /// A new id; ids made in one process within one millisecond are still in order.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    pub fn as_uuid(self) -> Uuid {
        self.0
    }

    /// The time of the call, read from the id; millisecond precision.
    pub fn created_at(self) -> Timestamp {
        let (high, _) = self.0.as_u64_pair();
        Timestamp::from_millis((high >> 16) as i64)
    }

    /// The last 12 hex digits: random, unlike the first 8, which ids of the same minute share.
    pub fn short(self) -> String {
        let text = self.0.simple().to_string();
        text.get(20..).unwrap_or_default().to_owned()
    }
}

impl FromStr for InvocationId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        // Only the hyphenated form: one id has one spelling.
        match Uuid::try_parse(text) {
            Ok(uuid) if text.len() == 36 => Ok(Self(uuid)),
            _ => Err(IdError { expected: "a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057" }),
        }
    }
}

/// The identity of a function across its life: a function of the same name made anew has a new one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FunctionUid(Uuid);

impl FunctionUid {
    pub fn generate() -> Self {
        Self(Uuid::new_v4())
    }

    pub fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl FromStr for FunctionUid {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Uuid::try_parse(text).map(Self).map_err(|_| IdError { expected: "a UUID" })
    }
}

macro_rules! uuid_text {
    ($name:ident) => {
        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}
uuid_text!(InvocationId);
uuid_text!(FunctionUid);

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}
number!(
    /// Who may decide an invocation: raised by every claim; a write that carries an older one is refused.
    Epoch(i64)
);
number!(
    /// A function's version: 1, 2, 3 …, immutable once made.
    VersionNumber(i32)
);

/// The process that holds a lease. Unique for each start of a process.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkerId(pub Arc<str>);

impl WorkerId {
    /// A new worker id with a readable prefix.
    pub fn generate(prefix: &str) -> Self {
        Self(format!("{prefix}-{}", Uuid::new_v4().simple()).into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The content address of an artifact: `sha256:` and 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArtifactDigest([u8; 32]);

impl ArtifactDigest {
    pub fn from_bytes(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl FromStr for ArtifactDigest {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        const ERROR: IdError = IdError { expected: "sha256: and 64 lower-case hex digits" };
        let digits = text.strip_prefix("sha256:").ok_or(ERROR)?;
        if digits.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(ERROR);
        }
        let mut digest = [0; 32];
        hex::decode_to_slice(digits, &mut digest).map_err(|_| ERROR)?;
        Ok(Self(digest))
    }
}

impl TryFrom<String> for ArtifactDigest {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<ArtifactDigest> for String {
    fn from(digest: ArtifactDigest) -> Self {
        digest.to_string()
    }
}

impl fmt::Display for ArtifactDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for ArtifactDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_the_time_of_its_call() {
        let id: InvocationId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().expect("an id");
        assert_eq!(id.created_at().as_millis(), 0x0189_0a5d_ac96);
        assert_eq!(id.short(), "b302099a8057");
    }

    #[test]
    fn only_one_spelling_of_an_id_is_taken() {
        for text in ["", "x", "01890a5dac96774bbcceb302099a8057", "{01890a5d-ac96-774b-bcce-b302099a8057}"] {
            assert!(text.parse::<InvocationId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_digest_survives_its_text() {
        let text = format!("sha256:{}", "0f".repeat(32));
        assert_eq!(text.parse::<ArtifactDigest>().expect("a digest").to_string(), text);
        assert!("sha256:0F".parse::<ArtifactDigest>().is_err());
        assert!("md5:00".parse::<ArtifactDigest>().is_err());
    }
}
