//! From the errors of the object store to ours. Servers quote what they refuse: nothing of it is passed on unseen.

use crate::errors::full;
use eventflow_domain::Error;
use std::io;

/// Characters of a server's words that are kept.
const LONGEST: usize = 400;

/// Codes by which servers say that they have no room.
const FULL: [&str; 4] = ["XMinioStorageFull", "InsufficientStorage", "QuotaExceeded", "507 "];

/// What must not be printed, wherever it comes from.
#[derive(Clone)]
pub(super) struct Secrets([String; 2]);

impl Secrets {
    pub(super) fn new(secrets: [String; 2]) -> Self {
        Self(secrets)
    }

    /// The error of a caller who can only come again.
    pub(super) fn unavailable(&self, doing: &'static str, cause: &object_store::Error) -> Error {
        let text = format!("failed to {doing}: {}", self.text(cause));
        if FULL.iter().any(|code| text.contains(code)) {
            return full().with_cause(text);
        }
        match cause {
            object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
                Error::unavailable("the blob storage refuses us")
            }
            // Of all requests but reads, whose callers look first: the bucket.
            object_store::Error::NotFound { .. } => {
                Error::unavailable("the blob storage does not know the bucket or the access key")
            }
            _ => Error::unavailable("the blob storage cannot be reached now"),
        }
        .with_cause(text)
    }

    pub(super) fn broken(&self, cause: &object_store::Error) -> io::Error {
        io::Error::other(format!("failed to read a blob: {}", self.text(cause)))
    }

    /// The error, which has most of its causes in its words, and the innermost one: that no host has this name, or that
    /// a certificate is not trusted.
    pub(super) fn text(&self, cause: &object_store::Error) -> String {
        let mut innermost: &dyn std::error::Error = cause;
        while let Some(next) = innermost.source() {
            innermost = next;
        }
        let (text, innermost) = (cause.to_string(), innermost.to_string());
        if text.contains(&innermost) {
            return self.hide(&text);
        }
        format!("{}: {}", self.hide(&text), self.hide(&innermost))
    }

    fn hide(&self, text: &str) -> String {
        let hidden = self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"));
        hidden.chars().take(LONGEST).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventflow_domain::error::Chain;

    fn said(text: &str) -> Error {
        let cause = object_store::Error::Generic { store: "S3", source: text.into() };
        Secrets::new(["AKIA1".into(), "hush".into()]).unavailable("store a blob", &cause)
    }

    #[test]
    fn what_servers_quote_is_hidden_and_cut() {
        let error = said(&format!("<AWSAccessKeyId>AKIA1</AWSAccessKeyId> hush {}", "x".repeat(5000)));
        let printed = format!("{} {error:?}", Chain(&error));
        assert!(!printed.contains("AKIA1") && !printed.contains("hush") && printed.contains("***"));
        assert!(printed.len() < 2000, "{}", printed.len());
    }

    #[test]
    fn a_full_storage_is_told_from_one_that_is_away() {
        assert_eq!(said("<Code>XMinioStorageFull</Code>").reason(), "StorageFull");
        assert_eq!(said("connection refused").reason(), "Unavailable");
    }
}
