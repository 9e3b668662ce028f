//! The one thing that other rooms ask: who is this?

use crate::access::{Access, access_of};
use crate::bearer;
use crate::key::Key;
use crate::throttle::Throttle;
use crate::token::{Claims, Signer, Token};
use crate::unauthenticated;
use crate::users::{Check, Users};
use eventflow_domain::access::Caller;
use eventflow_domain::error::Chain;
use eventflow_domain::ports::Clock;
use eventflow_domain::{Error, ErrorKind, Result};
use http::HeaderMap;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How many password hashes are computed at once: each takes 19 MiB and a core for some 20 ms.
const HASHING: usize = 2;
/// How many logins may wait for their turn; the rest are told to come back.
const WAITING: usize = 32;
/// How many verified tokens are remembered.
const REMEMBERED: usize = 512;

/// Issues and checks tokens, and logs people in. Cheap to clone.
#[derive(Clone)]
pub struct Authenticator(Arc<Inner>);

struct Inner {
    signer: Signer,
    users: Arc<Users>,
    throttle: Throttle,
    hashing: Arc<Semaphore>,
    queue: Semaphore,
    /// A caller sends the same token with every request: its signature is checked once, its times every time.
    verified: RwLock<HashMap<Box<str>, (Claims, Caller)>>,
}

impl Authenticator {
    /// How long a token lives that is given for a login.
    pub const LOGIN_TTL: Duration = Duration::from_hours(12);

    pub fn new(key: &Key, users: Users, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner {
            signer: Signer::new(key, Arc::clone(&clock)),
            users: Arc::new(users),
            throttle: Throttle::new(clock),
            hashing: Arc::new(Semaphore::new(HASHING)),
            queue: Semaphore::new(WAITING),
            verified: RwLock::default(),
        }))
    }

    /// A token for a caller; it lives at most 30 days.
    pub fn issue(&self, caller: &Caller, ttl: Duration) -> Result<Token> {
        self.0.signer.issue(caller, ttl)
    }

    /// Who a token speaks for. Every refusal is the same UNAUTHENTICATED.
    pub fn verify(&self, token: &str) -> Result<Caller> {
        if let Some((claims, caller)) = self.0.verified.read().get(token)
            && self.0.signer.in_time(claims).is_ok()
        {
            return Ok(caller.clone());
        }
        let claims = self.0.signer.verify(token).map_err(|refused| {
            tracing::debug!(why = %Chain(&refused), "token refused");
            unauthenticated()
        })?;
        let caller = Caller { subject: claims.sub.as_str().into(), grants: claims.grants.clone() };
        let mut verified = self.0.verified.write();
        if verified.len() >= REMEMBERED {
            verified.clear();
        }
        verified.insert(token.into(), (claims, caller.clone()));
        Ok(caller)
    }

    /// Who calls an RPC (`/package.Service/Method`); `None` for a public one. What no permission is mapped to does not
    /// exist. In which namespace the caller may is the handler's question; one who may in none is refused here already.
    pub fn admit(&self, method: &str, headers: &HeaderMap) -> Result<Option<Caller>> {
        let Some(access) = access_of(method) else {
            let text = format!("unknown method {:?}", method.chars().take(128).collect::<String>());
            return Err(Error::new(ErrorKind::Unimplemented, "UnknownMethod", text));
        };
        if matches!(access, Access::Public) {
            return Ok(None);
        }
        let caller = self.verify(bearer::token(headers).unwrap_or_default())?;
        if let Access::Permission(permission) = access
            && !caller.grants.iter().any(|grant| grant.role.allows(permission))
        {
            let text = format!("permission {permission} is needed");
            let error = Error::new(ErrorKind::Forbidden, "PermissionDenied", text);
            return Err(error.with_metadata("permission", permission));
        }
        Ok(Some(caller))
    }

    /// Who has this name and password. UNAUTHENTICATED if nobody, at the same cost whether the name exists or
    /// not; EXHAUSTED after ten failures a minute for one name, or when too many log in at once.
    pub async fn login(&self, username: &str, password: &str) -> Result<Caller> {
        let Some(attempt) = self.0.throttle.attempt(username) else {
            return Err(too_many("too many failed logins").with_retry_after(Throttle::REFILL));
        };
        let checked = match self.0.users.check(username, password) {
            Check::Known(caller) => Some(caller),
            Check::Hash { hash, caller } => {
                let _place = self.0.queue.try_acquire().map_err(|_| busy())?;
                let turn = Arc::clone(&self.0.hashing).acquire_owned().await.map_err(|_| busy())?;
                let password = password.to_owned();
                let matches = tokio::task::spawn_blocking(move || {
                    // Held until the work is done, even if nobody waits for it any more.
                    let _turn = turn;
                    hash.matches(&password)
                });
                let matches = matches.await.map_err(|error| Error::internal("check a password", error))?;
                caller.filter(|_| matches)
            }
        };
        let Some(caller) = checked else {
            tracing::info!(username, "login failed");
            return Err(Error::new(ErrorKind::Unauthenticated, "LoginFailed", "wrong user name or password"));
        };
        attempt.succeeded();
        Ok(caller)
    }

    /// Whether the development login is on.
    pub fn dev_login(&self) -> bool {
        self.0.users.dev_login()
    }
}

fn too_many(message: &str) -> Error {
    Error::new(ErrorKind::Exhausted, "TooManyLogins", message)
}

fn busy() -> Error {
    too_many("too many logins at once").with_retry_after(Duration::from_secs(1))
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("users", &self.0.users).finish_non_exhaustive()
    }
}
