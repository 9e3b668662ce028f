//! Who may do what. Every RPC and route maps to one [`Permission`]; what is not mapped is denied.

use crate::error::{Error, ErrorKind, Result};
use crate::names::Namespace;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Permission {
    FunctionsRead,
    FunctionsWrite,
    FunctionsInvoke,
    InvocationsRead,
    /// Cancel, replay, redrive, discard.
    InvocationsWrite,
    LogsRead,
    ArtifactsWrite,
    /// Names and keys of secrets and configs; values are never read back.
    ConfigsRead,
    ConfigsWrite,
}

impl Permission {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FunctionsRead => "functions.read",
            Self::FunctionsWrite => "functions.write",
            Self::FunctionsInvoke => "functions.invoke",
            Self::InvocationsRead => "invocations.read",
            Self::InvocationsWrite => "invocations.write",
            Self::LogsRead => "logs.read",
            Self::ArtifactsWrite => "artifacts.write",
            Self::ConfigsRead => "configs.read",
            Self::ConfigsWrite => "configs.write",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A role; each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Viewer,
    Invoker,
    Developer,
    Admin,
}

impl Role {
    pub fn allows(self, permission: Permission) -> bool {
        use Permission as P;
        let least = match permission {
            P::FunctionsRead | P::InvocationsRead | P::LogsRead => Self::Viewer,
            P::FunctionsInvoke => Self::Invoker,
            P::FunctionsWrite
            | P::InvocationsWrite
            | P::ArtifactsWrite
            | P::ConfigsRead
            | P::ConfigsWrite => Self::Developer,
        };
        self >= least
    }
}

/// A role in one namespace, or in all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// `None` = every namespace.
    pub namespace: Option<Namespace>,
    pub role: Role,
}

/// Who makes a request, as authentication found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub subject: Arc<str>,
    pub grants: Vec<Grant>,
}

impl Caller {
    /// A caller who may do everything.
    pub fn admin(subject: &str) -> Self {
        Self { subject: subject.into(), grants: vec![Grant { namespace: None, role: Role::Admin }] }
    }

    /// Nobody in particular: the caller of a public function URL.
    pub fn anonymous() -> Self {
        Self { subject: "anonymous".into(), grants: Vec::new() }
    }

    pub fn may(&self, permission: Permission, namespace: &Namespace) -> bool {
        self.grants.iter().any(|grant| {
            grant.role.allows(permission)
                && grant.namespace.as_ref().is_none_or(|granted| granted == namespace)
        })
    }

    /// Refuses with FORBIDDEN, naming the permission, unless it is granted in `namespace`.
    pub fn require(&self, permission: Permission, namespace: &Namespace) -> Result<()> {
        if self.may(permission, namespace) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Forbidden,
            "PermissionDenied",
            format!("permission {permission} in namespace {namespace:?} is needed"),
        )
        .with_metadata("permission", permission))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_counts_in_its_namespace_only() {
        let here: Namespace = "here".parse().expect("a name");
        let there: Namespace = "there".parse().expect("a name");
        let caller = Caller {
            subject: "a".into(),
            grants: vec![Grant { namespace: Some(here.clone()), role: Role::Invoker }],
        };
        assert!(caller.may(Permission::FunctionsInvoke, &here));
        assert!(!caller.may(Permission::FunctionsInvoke, &there));
        assert!(!caller.may(Permission::FunctionsWrite, &here));
        let refused = caller.require(Permission::FunctionsWrite, &here).expect_err("refused");
        assert_eq!(refused.kind(), ErrorKind::Forbidden);
        assert!(refused.message().contains("functions.write"));
    }
}
