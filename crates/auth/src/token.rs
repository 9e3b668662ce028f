//! Tokens: JWT with one algorithm, HS256.

use crate::key::Key;
use eventflow_domain::access::{Caller, Grant};
use eventflow_domain::ports::Clock;
use eventflow_domain::{Error, ErrorKind, Result, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A token, and when it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub token: String,
    pub expires_at: Timestamp,
}

/// Who issues our tokens.
pub(crate) const ISSUER: &str = "eventflow";
/// Whom they are for.
pub(crate) const AUDIENCE: &str = "eventflow-api";
/// The longest token, in bytes.
pub(crate) const MAX_LEN: usize = 4096;
/// The longest life of a token.
pub(crate) const MAX_TTL: Duration = Duration::from_hours(30 * 24);
/// By how much the clocks of two of our machines may differ.
pub(crate) const LEEWAY: Duration = Duration::from_secs(30);

/// All but `nbf` are required.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) aud: String,
    pub(crate) sub: String,
    /// Seconds since the Unix epoch, as the other two.
    pub(crate) iat: u64,
    pub(crate) exp: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nbf: Option<u64>,
    pub(crate) grants: Vec<Grant>,
}

/// Why a token is refused: for the log only.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("token of {0} bytes")]
    Long(usize),
    #[error("not signed by us, or not well formed")]
    Signature(#[from] jsonwebtoken::errors::Error),
    #[error("not of type JWT")]
    Type,
    #[error("issued by or for somebody else")]
    Party,
    #[error("expired")]
    Expired,
    #[error("not valid yet")]
    Early,
    #[error("lives too long")]
    Immortal,
}

/// Signs and checks tokens.
pub(crate) struct Signer {
    encode: EncodingKey,
    decode: DecodingKey,
    validation: Validation,
    clock: Arc<dyn Clock>,
}

impl Signer {
    pub(crate) fn new(key: &Key, clock: Arc<dyn Clock>) -> Self {
        // The algorithm is ours to choose, never the token's.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The library reads the machine's clock; times are checked below, by the port.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let (encode, decode) = (EncodingKey::from_secret(key.bytes()), DecodingKey::from_secret(key.bytes()));
        Self { encode, decode, validation, clock }
    }

    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.clock.now().as_millis() / 1000).unwrap_or(0)
    }

    pub(crate) fn issue(&self, caller: &Caller, ttl: Duration) -> Result<Token> {
        let now = self.now();
        let exp = now + ttl.min(MAX_TTL).as_secs();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: caller.subject.as_ref().to_owned(),
            iat: now,
            exp,
            nbf: None,
            grants: caller.grants.clone(),
        };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encode)
            .map_err(|error| Error::internal("sign a token", error))?;
        if token.len() > MAX_LEN {
            let message = format!("{} grants do not fit into a token", caller.grants.len());
            return Err(Error::new(ErrorKind::TooLarge, "TooManyGrants", message));
        }
        Ok(Token { token, expires_at: Timestamp::from_millis(exp as i64 * 1000) })
    }

    pub(crate) fn verify(&self, token: &str) -> Result<Claims, Refused> {
        if token.len() > MAX_LEN {
            return Err(Refused::Long(token.len()));
        }
        let token = jsonwebtoken::decode::<Claims>(token, &self.decode, &self.validation)?;
        // We know no extension that a token may declare critical.
        if token.header.typ.as_deref() != Some("JWT") || token.header.crit.is_some() {
            return Err(Refused::Type);
        }
        let claims = token.claims;
        if claims.iss != ISSUER || claims.aud != AUDIENCE || claims.sub.is_empty() {
            return Err(Refused::Party);
        }
        self.in_time(&claims)?;
        Ok(claims)
    }

    /// Whether the token is of this time.
    pub(crate) fn in_time(&self, claims: &Claims) -> Result<(), Refused> {
        let (now, leeway) = (self.now(), LEEWAY.as_secs());
        if claims.exp.saturating_add(leeway) <= now {
            return Err(Refused::Expired);
        }
        if claims.iat.max(claims.nbf.unwrap_or(0)) > now.saturating_add(leeway) {
            return Err(Refused::Early);
        }
        if claims.exp.saturating_sub(claims.iat) > MAX_TTL.as_secs() {
            return Err(Refused::Immortal);
        }
        Ok(())
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
