//! Errors as `application/problem+json` (RFC 9457).
//!
//! Handlers return a [`Problem`]; the outermost layer renders it, since only that layer knows the request's path
//! and id.

mod status;

use crate::invoke::{ATTEMPT, INVOCATION_ID, VERSION};
use axum::response::{IntoResponse, Response};
use eventflow_domain::{Error, ErrorKind, Violation, suggest};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

pub use status::http_status;

/// The reason where a function gave no answer of its own. Its metadata names the call: `invocationId`, `version`,
/// `attempt`, and `functionReason`.
pub(crate) const FUNCTION_FAILED: &str = "FunctionFailed";

/// What a caller over HTTP is told of an error. Small, since nearly every function here may return one.
#[derive(Debug, Clone)]
pub struct Problem(Box<Facts>);

/// The facts of a [`Problem`].
#[derive(Debug, Clone)]
pub struct Facts {
    pub status: StatusCode,
    /// Stable and machine readable.
    pub reason: Cow<'static, str>,
    /// For people.
    pub detail: String,
    pub errors: Vec<Violation>,
    pub metadata: BTreeMap<Cow<'static, str>, String>,
    pub retry_after: Option<Duration>,
    pub(crate) allow: Option<HeaderValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    instance: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: &'a BTreeMap<Cow<'static, str>, String>,
}

#[derive(Serialize)]
struct FieldError<'a> {
    field: &'a str,
    description: &'a str,
}

impl Deref for Problem {
    type Target = Facts;
    fn deref(&self) -> &Facts {
        &self.0
    }
}

impl DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut Facts {
        &mut self.0
    }
}

impl From<Facts> for Problem {
    fn from(facts: Facts) -> Self {
        Self(Box::new(facts))
    }
}

impl Problem {
    pub fn new(status: StatusCode, reason: &'static str, detail: impl Into<String>) -> Self {
        Self::from(Facts {
            status,
            reason: Cow::Borrowed(reason),
            detail: detail.into(),
            errors: Vec::new(),
            metadata: BTreeMap::new(),
            retry_after: None,
            allow: None,
        })
    }

    /// Fields of the request that break rules: 400.
    pub(crate) fn violations(violations: Vec<Violation>) -> Self {
        Self::from(Error::violations(violations))
    }

    pub(crate) fn invalid(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::violations(vec![Violation::new(field, description)])
    }

    /// A query parameter that the route does not know.
    pub(crate) fn unknown_parameter<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        Self::invalid(shown(name), suggest::unknown("query parameter", name, known))
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "RouteNotFound", detail)
    }

    /// `limit` and `size` in bytes; the size is not known where the body came in chunks.
    pub(crate) fn too_large(limit: u64, size: Option<u64>) -> Self {
        let found = size.map_or_else(|| "is larger".to_owned(), |size| format!("has {size}"));
        let problem = Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "TooLarge",
            format!("the body may have at most {limit} bytes and {found}"),
        )
        .with("limit", limit.to_string());
        match size {
            Some(size) => problem.with("size", size.to_string()),
            None => problem,
        }
    }

    /// The byte budget of the process is used up.
    pub(crate) fn busy() -> Self {
        let mut problem = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "BufferBudgetExhausted",
            "too many bytes of other requests are in memory; try again",
        );
        problem.retry_after = Some(Duration::from_secs(1));
        problem
    }

    #[must_use]
    pub(crate) fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.metadata.insert(Cow::Borrowed(key), value.into());
        self
    }

    /// The document. `instance` is the path of the request; empty texts are left out.
    pub(crate) fn render(&self, instance: &str, request_id: &str) -> String {
        let document = Document {
            r#type: format!("urn:eventflow:problem:{}", self.reason),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            instance,
            reason: &self.reason,
            errors: self
                .errors
                .iter()
                .map(|one| FieldError { field: &one.field, description: &one.description })
                .collect(),
            request_id,
            metadata: &self.metadata,
        };
        serde_json::to_string(&document).unwrap_or_default()
    }

    /// `{"error": …}`: how an error ends a stream that has begun.
    pub(crate) fn render_in_stream(&self, request_id: &str) -> String {
        let document = RawValue::from_string(self.render("", request_id)).ok();
        serde_json::to_string(&BTreeMap::from([("error", document)])).unwrap_or_default()
    }
}

/// User text cut to a length that fits an answer.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        if error.kind() == ErrorKind::Internal {
            tracing::error!(error = %eventflow_domain::error::Chain(&error), "request failed");
        }
        Self::from(Facts {
            status: match error.kind() {
                // The function's fault, not ours: another try goes the same way.
                ErrorKind::Unavailable if error.reason() == FUNCTION_FAILED => StatusCode::BAD_GATEWAY,
                kind => http_status(kind),
            },
            reason: Cow::Borrowed(error.reason()),
            detail: error.message().to_owned(),
            errors: error.field_violations().to_vec(),
            metadata: error
                .metadata()
                .iter()
                .map(|(key, value)| (Cow::Borrowed(*key), value.clone()))
                .collect(),
            retry_after: error.retry_after(),
            allow: None,
        })
    }
}

/// Which call a failure is of, in the headers that every answer of a call has.
fn name_call(problem: &Problem, headers: &mut HeaderMap) {
    for (fact, name) in [("invocationId", INVOCATION_ID), ("version", VERSION), ("attempt", ATTEMPT)] {
        if let Some(value) = problem.metadata.get(fact).and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        let headers = response.headers_mut();
        let seconds = match self.status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Some(self.retry_after.unwrap_or(Duration::from_secs(1)))
            }
            _ => self.retry_after,
        };
        if let Some(after) = seconds {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"eventflow\""));
        }
        if self.reason == FUNCTION_FAILED {
            name_call(&self, headers);
        }
        if let Some(allow) = &self.allow {
            headers.insert(header::ALLOW, allow.clone());
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response.extensions_mut().insert(self);
        response
    }
}
