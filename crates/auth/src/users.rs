//! The people that a config names, and the development login.

use crate::password::PasswordHash;
use eventflow_domain::access::{Caller, Grant};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One person, as a config file names them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    pub name: String,
    /// The argon2id hash of the password.
    pub password_hash: PasswordHash,
    #[serde(default)]
    pub grants: Vec<Grant>,
}

/// Whether admin/admin logs in. Only a server on loopback, or one told so for a test, may enable it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DevLogin {
    #[default]
    Disabled,
    Enabled,
}

/// Why a list of users cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsersError {
    #[error("user {0:?} must have a name of 1 to 128 characters without control characters")]
    Name(String),
    #[error("user {0:?} is there twice")]
    Twice(String),
    #[error("user {0:?} has a password that everybody knows")]
    KnownPassword(String),
}

/// Everybody who can log in.
#[derive(Debug)]
pub struct Users {
    by_name: BTreeMap<String, User>,
    nobody: PasswordHash,
    dev: DevLogin,
}

/// The name and the password of the development login.
const DEV: &str = "admin";

/// What is left to do about a login.
pub(crate) enum Check {
    Known(Caller),
    /// Compare with this hash; no caller = whatever comes of it, it is a refusal.
    Hash {
        hash: PasswordHash,
        caller: Option<Caller>,
    },
}

impl Users {
    /// Takes some 20 ms, and 60 ms more for each user: their passwords are tried with what everybody tries first.
    pub fn new(list: Vec<User>, dev: DevLogin) -> Result<Self, UsersError> {
        let mut users = BTreeMap::new();
        for user in list {
            let name = user.name.clone();
            if name.is_empty() || name.chars().count() > 128 || name.chars().any(char::is_control) {
                return Err(UsersError::Name(name));
            }
            if [DEV, "password", name.as_str()].into_iter().any(|known| user.password_hash.matches(known)) {
                return Err(UsersError::KnownPassword(name));
            }
            if users.insert(name.clone(), user).is_some() {
                return Err(UsersError::Twice(name));
            }
        }
        Ok(Self { by_name: users, nobody: PasswordHash::of_nobody(), dev })
    }

    pub(crate) fn dev_login(&self) -> bool {
        self.dev == DevLogin::Enabled && !self.by_name.contains_key(DEV)
    }

    pub(crate) fn check(&self, username: &str, password: &str) -> Check {
        if self.dev_login() && (username, password) == (DEV, DEV) {
            return Check::Known(Caller::admin(DEV));
        }
        match self.by_name.get(username) {
            Some(user) => {
                let caller = Caller { subject: user.name.as_str().into(), grants: user.grants.clone() };
                Check::Hash { hash: user.password_hash.clone(), caller: Some(caller) }
            }
            None => Check::Hash { hash: self.nobody.clone(), caller: None },
        }
    }
}
