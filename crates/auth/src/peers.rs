//! What our own services prove to each other: that they hold the installation's key.

use crate::key::Key;
use crate::token::{LEEWAY, MAX_LEN};
use crate::unauthenticated;
use eventflow_domain::ports::Clock;
use eventflow_domain::{Error, Result};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

const ISSUER: &str = "eventflow";
/// Not the audience of people's tokens: neither opens the doors of the other.
const AUDIENCE: &str = "eventflow-internal";
/// Seconds that a token lives; it is made anew after half of them.
const TTL: u64 = 300;

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    iat: u64,
    exp: u64,
}

/// Issues and checks the tokens that our services send each other.
pub struct PeerKey {
    encode: EncodingKey,
    decode: DecodingKey,
    validation: Validation,
    service: String,
    clock: Arc<dyn Clock>,
    current: Mutex<Option<(u64, Arc<str>)>>,
}

impl PeerKey {
    /// `service` is what this process calls itself, for the logs of the others.
    pub fn new(key: &Key, service: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Times are checked below, by the port.
        validation.validate_exp = false;
        Self {
            encode: EncodingKey::from_secret(key.bytes()),
            decode: DecodingKey::from_secret(key.bytes()),
            validation,
            service: service.into(),
            clock,
            current: Mutex::default(),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.clock.now().as_millis() / 1000).unwrap_or(0)
    }

    /// A token that is good for some minutes.
    pub fn token(&self) -> Result<Arc<str>> {
        let now = self.now();
        let mut current = self.current.lock();
        if let Some((issued, token)) = &*current
            && now.saturating_sub(*issued) < TTL / 2
            && *issued <= now
        {
            return Ok(Arc::clone(token));
        }
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: self.service.clone(),
            iat: now,
            exp: now + TTL,
        };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encode)
            .map_err(|error| Error::internal("sign a token", error))?;
        let token: Arc<str> = token.into();
        *current = Some((now, Arc::clone(&token)));
        Ok(token)
    }

    /// Which service sent it. Every refusal is the same UNAUTHENTICATED.
    pub fn verify(&self, token: &str) -> Result<String> {
        if token.len() > MAX_LEN {
            return Err(unauthenticated());
        }
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decode, &self.validation)
            .map_err(|error| {
                tracing::debug!(%error, "internal token refused");
                unauthenticated()
            })?
            .claims;
        let (now, leeway) = (self.now(), LEEWAY.as_secs());
        let in_time = claims.exp.saturating_add(leeway) > now
            && claims.iat <= now.saturating_add(leeway)
            && claims.exp.saturating_sub(claims.iat) <= TTL;
        if in_time { Ok(claims.sub) } else { Err(unauthenticated()) }
    }
}

impl fmt::Debug for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerKey").field("service", &self.service).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Authenticator, DevLogin, Users};
    use eventflow_domain::access::Caller;
    use eventflow_testkit::ManualClock;
    use std::time::Duration;

    fn keys() -> (PeerKey, PeerKey, Arc<ManualClock>, Key) {
        let (clock, key) = (Arc::new(ManualClock::default()), Key::generate());
        let peer = |name: &str| PeerKey::new(&key, name, Arc::clone(&clock) as Arc<dyn Clock>);
        (peer("api"), peer("dispatcher"), Arc::clone(&clock), key.clone())
    }

    #[test]
    fn a_service_that_holds_the_key_is_known_by_name() {
        let (api, dispatcher, ..) = keys();
        assert_eq!(dispatcher.verify(&api.token().expect("a token")).expect("known"), "api");
    }

    #[test]
    fn a_token_is_used_again_until_half_of_its_life_is_over_and_refused_after_it() {
        let (api, dispatcher, clock, _) = keys();
        let first = api.token().expect("a token");
        clock.advance(Duration::from_secs(149));
        assert_eq!(api.token().expect("a token"), first);
        clock.advance(Duration::from_secs(2));
        assert_ne!(api.token().expect("a token"), first);
        dispatcher.verify(&first).expect("still good");
        clock.advance(Duration::from_secs(TTL));
        dispatcher.verify(&first).expect_err("too old");
    }

    #[test]
    fn tokens_of_people_and_of_services_do_not_open_each_others_doors() {
        let (api, dispatcher, clock, key) = keys();
        let users = Users::new(Vec::new(), DevLogin::Enabled).expect("users");
        let people = Authenticator::new(&key, users, clock);
        let admin = people.issue(&Caller::admin("root"), Duration::from_secs(60)).expect("a token");
        dispatcher.verify(&admin.token).expect_err("an admin is no service");
        people.verify(&api.token().expect("a token")).expect_err("a service is no admin");
    }

    #[test]
    fn another_key_and_junk_are_refused() {
        let (_, dispatcher, ..) = keys();
        let (stranger, ..) = keys();
        dispatcher.verify(&stranger.token().expect("a token")).expect_err("another key");
        for junk in ["", "a.b.c", &"x".repeat(MAX_LEN + 1)] {
            dispatcher.verify(junk).expect_err("junk");
        }
    }
}
