//! Over HTTP headers.

use super::{TRACEPARENT, decode, encode};
use eventflow_domain::trace::TraceContext;
use http::{HeaderMap, HeaderName, HeaderValue};

const NAME: HeaderName = HeaderName::from_static(TRACEPARENT);

/// The trace that a request belongs to. Two headers are none.
pub fn extract(headers: &HeaderMap) -> Option<TraceContext> {
    let mut values = headers.get_all(NAME).iter();
    let value = values.next()?;
    values.next().is_none().then(|| decode(value.as_bytes())).flatten()
}

/// Puts the trace into the headers of an outgoing request.
pub fn inject(context: TraceContext, headers: &mut HeaderMap) {
    if let Ok(value) = HeaderValue::from_bytes(&encode(context)) {
        headers.insert(NAME, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_survives_the_headers() {
        let context = TraceContext::generate();
        let mut headers = HeaderMap::new();
        inject(context, &mut headers);
        assert_eq!(headers[TRACEPARENT], context.to_string());
        assert_eq!(extract(&headers), Some(context));
    }

    #[test]
    fn what_is_no_traceparent_is_no_trace() {
        let mut headers = HeaderMap::new();
        assert_eq!(extract(&headers), None);
        headers.insert(NAME, HeaderValue::from_static("00-xyz"));
        assert_eq!(extract(&headers), None);
        inject(TraceContext::generate(), &mut headers);
        headers.append(
            NAME,
            HeaderValue::from_static("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        );
        assert_eq!(extract(&headers), None, "two of them");
    }
}
