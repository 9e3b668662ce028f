//! The door of every RPC: is it mapped to a permission, who calls, until when may it take.

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use eventflow_auth::{Authenticator, access_of};
use eventflow_domain::{Error, ErrorKind};
use eventflow_proto::{DESCRIPTOR_SET, status};
use prost::Message as _;
use std::sync::Arc;
use std::time::Duration;
use tonic::Code;
use tonic::service::Routes;

/// A longer deadline is clamped to this.
const MAX_DEADLINE: Duration = Duration::from_secs(24 * 3600);

pub(super) fn guarded(routes: Routes, authenticator: Arc<Authenticator>) -> Routes {
    routes.into_axum_router().layer(from_fn_with_state(authenticator, guard)).into()
}

async fn guard(
    State(authenticator): State<Arc<Authenticator>>,
    mut request: Request,
    next: Next,
) -> Response {
    let deadline = match grpc_timeout(&request) {
        Ok(deadline) => deadline,
        Err(error) => return refuse(&error),
    };
    match authenticator.admit(request.uri().path(), request.headers()) {
        Ok(Some(caller)) => {
            request.extensions_mut().insert(caller);
        }
        Ok(None) => {}
        Err(error) => return refuse(&error),
    }
    let Some(deadline) = deadline else { return reworded(next.run(request).await) };
    match tokio::time::timeout(deadline, next.run(request)).await {
        Ok(response) => reworded(response),
        Err(_) => {
            refuse(&Error::new(ErrorKind::Deadline, "DeadlineExceeded", "the call's deadline has passed"))
        }
    }
}

fn refuse(error: &Error) -> Response {
    status::to_status(error).into_http()
}

/// The deadline of `grpc-timeout` (gRPC over HTTP/2: up to 8 digits and a unit).
fn grpc_timeout(request: &Request) -> Result<Option<Duration>, Error> {
    let Some(value) = request.headers().get("grpc-timeout") else { return Ok(None) };
    let refused = || Error::invalid("grpc-timeout", "must be 1 to 8 digits and a unit of H, M, S, m, u or n");
    let text = value.to_str().map_err(|_| refused())?;
    let (digits, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(refused)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(refused());
    }
    let number: u64 = digits.parse().map_err(|_| refused())?;
    let timeout = match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return Err(refused()),
    };
    if timeout.is_zero() {
        return Err(Error::new(ErrorKind::Deadline, "DeadlineExceeded", "the call's deadline has passed"));
    }
    Ok(Some(timeout.min(MAX_DEADLINE)))
}

/// Faults of the input that tonic reports as faults of ours get the code that the caller needs.
fn reworded(mut response: Response) -> Response {
    let headers = response.headers();
    let code = headers.get("grpc-status").map(|value| Code::from_bytes(value.as_bytes()));
    let message = headers.get("grpc-message").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let error = match code {
        Some(Code::OutOfRange) if message.contains("message%20length%20too%20large") => Error::new(
            ErrorKind::TooLarge,
            "PayloadTooLarge",
            "the message is larger than limits.payload allows",
        ),
        Some(Code::Internal) if message.contains("failed%20to%20decode%20Protobuf") => {
            Error::invalid("message", "is not a valid protobuf message of the method's request type")
        }
        Some(Code::Internal) if message.contains("Unexpected%20EOF") => {
            Error::new(ErrorKind::Cancelled, "BodyBrokeOff", "the message broke off")
        }
        _ => return response,
    };
    let replaced: http::Response<tonic::body::Body> = status::to_status(&error).into_http();
    *response.headers_mut() = replaced.headers().clone();
    response
}

/// Methods of our services that no permission is mapped to; for a test that there are none.
pub fn permission_violations() -> Vec<String> {
    let Ok(set) = prost_types::FileDescriptorSet::decode(DESCRIPTOR_SET) else {
        return vec!["the descriptor set cannot be read".to_owned()];
    };
    let mut missing = Vec::new();
    for file in set.file {
        for service in &file.service {
            for method in &service.method {
                let name = format!("{}.{}/{}", file.package(), service.name(), method.name());
                if access_of(&name).is_none() {
                    missing.push(name);
                }
            }
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal() -> Error {
        Error::invalid("grpc-timeout", "is no header value")
    }

    fn timeout(text: &str) -> Result<Option<Duration>, Error> {
        let mut request = http::Request::new(axum::body::Body::empty());
        request
            .headers_mut()
            .insert("grpc-timeout", http::HeaderValue::from_str(text).map_err(|_| refusal())?);
        grpc_timeout(&request)
    }

    #[test]
    fn deadlines_are_read_clamped_and_refused_by_the_table() {
        assert_eq!(timeout("5S").expect("fine"), Some(Duration::from_secs(5)));
        assert_eq!(timeout("250m").expect("fine"), Some(Duration::from_millis(250)));
        assert_eq!(timeout("99999999H").expect("clamped"), Some(MAX_DEADLINE));
        assert_eq!(timeout("0S").expect_err("passed").kind(), ErrorKind::Deadline);
        for bad in ["", "S", "-1S", "5", "5x", "123456789S", "1.5S"] {
            assert_eq!(timeout(bad).expect_err(bad).kind(), ErrorKind::Invalid, "{bad}");
        }
    }

    #[test]
    fn every_method_is_mapped_to_a_permission() {
        assert_eq!(permission_violations(), Vec::<String>::new());
    }
}
