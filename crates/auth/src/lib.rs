//! Who calls, and whether they may.
//!
//! [`Authenticator`] issues and checks tokens and logs people in; [`access`] says what each RPC needs; [`bearer`]
//! finds the token in a request; [`origin`] keeps browsers of other sites out. What a caller may do is the
//! domain's to say (`eventflow_domain::access`).
//!
//! ```text
//!   request ──▶ origin::host_allowed ──▶ bearer::token ──▶ Authenticator::verify ──▶ Caller
//!                                                                                      │
//!                             access::access_of(method) ──▶ Caller::require ◀──────────┘
//! ```
//!
//! Every refusal of a token has one public text; why it was refused is logged at debug level and said nowhere.

pub mod access;
mod authenticator;
pub mod bearer;
mod key;
pub mod origin;
mod password;
mod peers;
mod throttle;
mod token;
mod users;

pub use access::{Access, access_of};
pub use authenticator::Authenticator;
pub use key::{Key, KeyError};
pub use password::{PasswordHash, WeakPassword};
pub use peers::PeerKey;
pub use token::Token;
pub use users::{DevLogin, User, Users, UsersError};

use eventflow_domain::{Error, ErrorKind};

/// What every refused or missing token is told.
pub const AUTHENTICATION_REQUIRED: &str = "authentication required";

/// The one refusal of a token.
pub fn unauthenticated() -> Error {
    Error::new(ErrorKind::Unauthenticated, "Unauthenticated", AUTHENTICATION_REQUIRED)
}
