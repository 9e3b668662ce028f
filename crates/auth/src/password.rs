//! Passwords, kept as argon2id hashes.

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest password, in bytes.
const MAX: usize = 1024;

/// Why a password cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    #[error("must have at least 8 characters")]
    Short,
    #[error("must have at most 1024 bytes")]
    Long,
}

/// Why a text is no hash of ours. The text is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    #[error("must be an argon2id hash, such as \"$argon2id$v=19$m=19456,t=2,p=1$…\"")]
    Format,
    #[error("must have a cost from m=19456,t=2,p=1 to m=65536,t=8,p=4")]
    Cost,
}

/// An argon2id hash in the PHC string format.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct PasswordHash(Arc<argon2::PasswordHash>);

impl PasswordHash {
    /// Hashes a new password; takes some 20 ms and 19 MiB.
    pub fn of(password: &str) -> Result<Self, WeakPassword> {
        if password.chars().count() < 8 {
            return Err(WeakPassword::Short);
        }
        Self::unchecked(password).filter(|_| password.len() <= MAX).ok_or(WeakPassword::Long)
    }

    fn unchecked(password: &str) -> Option<Self> {
        let hash = Argon2::default().hash_password(password.as_bytes());
        hash.ok().map(|hash| Self(Arc::new(hash)))
    }

    /// A hash that no password has: for the same work where there is no user.
    pub(crate) fn of_nobody() -> Self {
        let random = hex::encode(rand::random::<[u8; 32]>());
        Self::unchecked(&random).expect("should be a password of allowed length")
    }

    /// Whether this is the hash of `password`; takes some 20 ms.
    pub fn matches(&self, password: &str) -> bool {
        password.len() <= MAX
            && Argon2::default().verify_password(password.as_bytes(), self.0.as_ref()).is_ok()
    }

    /// The PHC string: to be written into a file of users.
    pub fn expose(&self) -> String {
        self.0.to_string()
    }
}

impl FromStr for PasswordHash {
    type Err = HashError;
    fn from_str(text: &str) -> Result<Self, HashError> {
        let hash = argon2::PasswordHash::new(text).map_err(|_| HashError::Format)?;
        if Algorithm::try_from(hash.algorithm.as_str()) != Ok(Algorithm::Argon2id) || hash.hash.is_none() {
            return Err(HashError::Format);
        }
        let cost = Params::try_from(&hash).map_err(|_| HashError::Format)?;
        let within = (19_456..=65_536).contains(&cost.m_cost())
            && (2..=8).contains(&cost.t_cost())
            && (1..=4).contains(&cost.p_cost());
        if within { Ok(Self(Arc::new(hash))) } else { Err(HashError::Cost) }
    }
}

impl TryFrom<String> for PasswordHash {
    type Error = HashError;
    fn try_from(text: String) -> Result<Self, HashError> {
        text.parse()
    }
}

impl Serialize for PasswordHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("<secret>")
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_knows_its_password_and_survives_its_text() {
        let hash = PasswordHash::of("correct horse").expect("a hash");
        let again: PasswordHash = hash.expose().parse().expect("a hash");
        assert!(again.matches("correct horse") && !again.matches("correct horsf"));
        assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.expose());
        assert_eq!(format!("{hash:?}"), "<secret>");
        assert_eq!(serde_json::to_string(&hash).expect("JSON"), "\"<secret>\"");
    }

    #[test]
    fn short_and_endless_passwords_are_refused() {
        assert_eq!(PasswordHash::of("1234567").err(), Some(WeakPassword::Short));
        assert_eq!(PasswordHash::of(&"x".repeat(1025)).err(), Some(WeakPassword::Long));
    }

    #[test]
    fn other_hashes_and_costs_are_refused() {
        let good = PasswordHash::of("correct horse").expect("a hash").expose();
        let refused = |text: &str| text.parse::<PasswordHash>().err();
        assert_eq!(refused("correct horse"), Some(HashError::Format));
        assert_eq!(refused(""), Some(HashError::Format));
        assert_eq!(refused(&good.replace("argon2id", "argon2i")), Some(HashError::Format));
        assert_eq!(refused(&good.replace("m=19456", "m=1024")), Some(HashError::Cost));
        assert_eq!(refused(&good.replace("t=2", "t=900")), Some(HashError::Cost));
        assert_eq!(refused("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0"), Some(HashError::Format));
    }
}
