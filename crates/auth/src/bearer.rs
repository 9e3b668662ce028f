//! The token of a request. It is never read from a URL.

use http::HeaderMap;
use http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};

/// What browsers, which cannot set headers of a WebSocket, put before the token in `Sec-WebSocket-Protocol`.
pub const WEBSOCKET_PREFIX: &str = "bearer.";

/// The token of a request: from `Authorization`, else from `Sec-WebSocket-Protocol`. A request with two
/// `Authorization` headers, or with one of another scheme, has none.
pub fn token(headers: &HeaderMap) -> Option<&str> {
    if headers.contains_key(AUTHORIZATION) { authorization(headers) } else { websocket(headers) }
}

/// From `Authorization: Bearer <token>`.
pub fn authorization(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().filter(|_| values.next().is_none())?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// From `Sec-WebSocket-Protocol: <protocol>, bearer.<token>`. The answer must name the other protocol: the token
/// is not to be sent back.
pub fn websocket(headers: &HeaderMap) -> Option<&str> {
    let mut tokens = protocols(headers).filter_map(|protocol| protocol.strip_prefix(WEBSOCKET_PREFIX));
    tokens.next().filter(|token| !token.is_empty() && tokens.next().is_none())
}

/// The protocols that a WebSocket offers beside its token, to choose one for the answer.
pub fn offered_protocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    protocols(headers).filter(|protocol| !protocol.starts_with(WEBSOCKET_PREFIX))
}

fn protocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|protocol| !protocol.is_empty())
}

/// Takes our credentials out of a request that goes on to user code.
pub fn consume(headers: &mut HeaderMap) {
    headers.remove(AUTHORIZATION);
    let rest: Vec<&str> = offered_protocols(headers).collect();
    let rest = rest.join(", ");
    headers.remove(SEC_WEBSOCKET_PROTOCOL);
    if let Ok(rest) = rest.parse()
        && !http::HeaderValue::is_empty(&rest)
    {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(http::HeaderName, &str)]) -> HeaderMap {
        list.iter().map(|(name, value)| (name.clone(), value.parse().expect("a value"))).collect()
    }

    #[test]
    fn a_token_comes_from_a_header_of_the_bearer_scheme() {
        for (value, found) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic abc", None),
            ("Bearer", None),
            ("Bearer ", None),
            ("abc", None),
        ] {
            assert_eq!(token(&headers(&[(AUTHORIZATION, value)])), found, "{value:?}");
        }
        assert_eq!(token(&HeaderMap::new()), None);
        assert_eq!(token(&headers(&[(AUTHORIZATION, "Bearer a"), (AUTHORIZATION, "Bearer b")])), None);
    }

    #[test]
    fn a_websocket_may_bring_it_as_a_protocol() {
        let offer = headers(&[(SEC_WEBSOCKET_PROTOCOL, "eventflow.v1, bearer.a.b-c_d")]);
        assert_eq!(token(&offer), Some("a.b-c_d"));
        assert_eq!(offered_protocols(&offer).collect::<Vec<_>>(), ["eventflow.v1"]);
        let split = headers(&[(SEC_WEBSOCKET_PROTOCOL, "x"), (SEC_WEBSOCKET_PROTOCOL, "bearer.t")]);
        assert_eq!(token(&split), Some("t"));
        assert_eq!(token(&headers(&[(SEC_WEBSOCKET_PROTOCOL, "bearer.a, bearer.b")])), None);
        assert_eq!(token(&headers(&[(SEC_WEBSOCKET_PROTOCOL, "bearer.")])), None);
        let both = headers(&[(AUTHORIZATION, "Basic x"), (SEC_WEBSOCKET_PROTOCOL, "bearer.t")]);
        assert_eq!(token(&both), None, "a header of another scheme is not passed over");
    }

    #[test]
    fn user_code_sees_no_credentials_of_ours() {
        let mut request =
            headers(&[(AUTHORIZATION, "Bearer abc"), (SEC_WEBSOCKET_PROTOCOL, "chat, bearer.abc, v2")]);
        consume(&mut request);
        assert_eq!(request, headers(&[(SEC_WEBSOCKET_PROTOCOL, "chat, v2")]));
        let mut request = headers(&[(SEC_WEBSOCKET_PROTOCOL, "bearer.abc")]);
        consume(&mut request);
        assert_eq!(request, HeaderMap::new());
    }
}
