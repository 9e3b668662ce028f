//! Requests to warm copies.

/// Answers with what came; some paths do more.
pub(crate) const ECHO: &str = "";
