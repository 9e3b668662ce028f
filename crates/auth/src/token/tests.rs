//! Forged tokens: each is refused by [`Authenticator::verify`] with one and the same text.

use super::*;
use crate::{AUTHENTICATION_REQUIRED, Authenticator, DevLogin, Users};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use eventflow_domain::access::Role;
use parking_lot::Mutex;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// A clock that stands until it is moved.
#[derive(Debug)]
struct Standing(Mutex<Duration>);

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(START as i64 * 1000) + *self.0.lock()
    }

    fn monotonic(&self) -> Duration {
        *self.0.lock()
    }
}

const START: u64 = 1_767_225_600;

struct Server {
    key: Key,
    clock: Arc<Standing>,
    auth: Authenticator,
}

static SERVER: LazyLock<Server> = LazyLock::new(server);

fn server() -> Server {
    let (key, clock) = (Key::generate(), Arc::new(Standing(Mutex::new(Duration::ZERO))));
    let users = Users::new(Vec::new(), DevLogin::Disabled).expect("no users");
    let auth = Authenticator::new(&key, users, clock.clone());
    Server { key, clock, auth }
}

fn caller() -> Caller {
    let grant = |namespace: Option<&str>, role| Grant {
        namespace: namespace.map(|name| name.parse().expect("a name")),
        role,
    };
    Caller {
        subject: "ann".into(),
        grants: vec![grant(Some("media"), Role::Developer), grant(None, Role::Viewer)],
    }
}

fn good_claims() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "iat": START, "exp": START + 3600,
        "grants": [{"namespace": null, "role": "admin"}],
    })
}

/// Claims with one of them changed, or taken out.
fn claims(change: &str, value: Option<Value>) -> Value {
    let mut claims = good_claims();
    let fields = claims.as_object_mut().expect("an object");
    match value {
        Some(value) => fields.insert(change.to_owned(), value),
        None => fields.remove(change),
    };
    claims
}

fn part(value: &Value) -> String {
    BASE64.encode(value.to_string())
}

fn signed(header: &Header, claims: &Value, key: &[u8]) -> String {
    jsonwebtoken::encode(header, claims, &EncodingKey::from_secret(key)).expect("signed")
}

fn hs256(claims: &Value) -> String {
    signed(&Header::new(Algorithm::HS256), claims, SERVER.key.bytes())
}

fn assert_refused(auth: &Authenticator, name: &str, token: &str) {
    let refused = auth.verify(token).expect_err(name);
    assert_eq!(
        (refused.kind(), refused.message()),
        (ErrorKind::Unauthenticated, AUTHENTICATION_REQUIRED),
        "{name}"
    );
    assert_eq!(refused.reason(), "Unauthenticated", "{name}");
    assert!(std::error::Error::source(&refused).is_none() && refused.metadata().is_empty(), "{name}");
}

#[test]
fn a_token_says_who_calls() {
    let token = SERVER.auth.issue(&caller(), Duration::from_mins(5)).expect("issued");
    assert_eq!(token.expires_at, Timestamp::from_millis((START as i64 + 300) * 1000));
    assert_eq!(SERVER.auth.verify(&token.token).expect("verified"), caller());
    assert_eq!(SERVER.auth.verify(&token.token).expect("remembered"), caller());
}

#[test]
fn the_claims_that_the_forgeries_start_from_are_good() {
    assert_eq!(SERVER.auth.verify(&hs256(&good_claims())).expect("verified"), Caller::admin("ann"));
}

#[test]
fn forged_tokens_are_refused_with_one_text() {
    let key = SERVER.key.bytes();
    let good = hs256(&good_claims());
    let (head, signature) = good.rsplit_once('.').expect("three parts");
    let none = part(&json!({"alg": "none", "typ": "JWT"}));
    let body = part(&good_claims());
    let typed = Header { typ: Some("dpop+jwt".to_owned()), ..Header::new(Algorithm::HS256) };
    let critical = Header { crit: Some(vec!["exp".to_owned()]), ..Header::new(Algorithm::HS256) };
    let forged = [
        ("critical extension", signed(&critical, &good_claims(), key)),
        ("empty", String::new()),
        ("not a token", "a.b.c".to_owned()),
        ("two parts", head.to_owned()),
        ("four parts", format!("{good}.{signature}")),
        ("alg none", format!("{none}.{body}.")),
        ("alg none with our signature", format!("{none}.{body}.{signature}")),
        ("alg NONE", format!("{}.{body}.", part(&json!({"alg": "NONE", "typ": "JWT"})))),
        ("no signature", format!("{head}.")),
        ("other key", signed(&Header::new(Algorithm::HS256), &good_claims(), Key::generate().bytes())),
        ("empty key", signed(&Header::new(Algorithm::HS256), &good_claims(), b"")),
        ("HS384 with our key", signed(&Header::new(Algorithm::HS384), &good_claims(), key)),
        ("HS512 with our key", signed(&Header::new(Algorithm::HS512), &good_claims(), key)),
        ("RS256 header", format!("{}.{body}.{signature}", part(&json!({"alg": "RS256", "typ": "JWT"})))),
        ("other body", format!("{}.{}.{signature}", part(&json!({"alg": "HS256", "typ": "JWT"})), body)),
        ("other type", signed(&typed, &good_claims(), key)),
        ("no type", signed(&Header { typ: None, ..Header::new(Algorithm::HS256) }, &good_claims(), key)),
        ("64 KiB", format!("{head}.{}", "A".repeat(64 << 10))),
        ("padding", format!("{good}=")),
        ("a space", format!("{good} ")),
    ];
    for (name, token) in forged {
        if name == "other body" {
            let other = part(&claims("sub", Some(json!("bob"))));
            let token = token.replace(&body, &other);
            assert_refused(&SERVER.auth, name, &token);
            continue;
        }
        assert_refused(&SERVER.auth, name, &token);
    }
}

#[test]
fn well_signed_tokens_with_bad_claims_are_refused_with_the_same_text() {
    let late = START + LEEWAY.as_secs() + 1;
    let bad = [
        ("wrong iss", "iss", Some(json!("evil"))),
        ("no iss", "iss", None),
        ("iss list", "iss", Some(json!([ISSUER, "evil"]))),
        ("wrong aud", "aud", Some(json!("other-api"))),
        ("no aud", "aud", None),
        ("aud list", "aud", Some(json!([AUDIENCE, "other-api"]))),
        ("no sub", "sub", None),
        ("empty sub", "sub", Some(json!(""))),
        ("no exp", "exp", None),
        ("exp text", "exp", Some(json!("tomorrow"))),
        ("exp negative", "exp", Some(json!(-1))),
        ("expired", "exp", Some(json!(START - LEEWAY.as_secs()))),
        ("exp in a thousand years", "exp", Some(json!(u64::MAX))),
        ("no iat", "iat", None),
        ("iat in future", "iat", Some(json!(late))),
        ("nbf in future", "nbf", Some(json!(late))),
        ("nbf text", "nbf", Some(json!("now"))),
        ("no grants", "grants", None),
        ("unknown role", "grants", Some(json!([{"namespace": null, "role": "root"}]))),
        ("bad namespace", "grants", Some(json!([{"namespace": "../x", "role": "viewer"}]))),
    ];
    for (name, claim, value) in bad {
        assert_refused(&SERVER.auth, name, &hs256(&claims(claim, value)));
    }
}

#[test]
fn a_token_ends_by_the_clock_port_also_when_it_is_remembered() {
    let server = server();
    let token = server.auth.issue(&caller(), Duration::from_mins(1)).expect("issued").token;
    assert!(server.auth.verify(&token).is_ok());
    *server.clock.0.lock() = Duration::from_secs(59) + LEEWAY;
    assert!(server.auth.verify(&token).is_ok(), "clocks may differ a little");
    *server.clock.0.lock() = Duration::from_mins(1) + LEEWAY;
    assert_refused(&server.auth, "expired", &token);
}

#[test]
fn tokens_of_another_server_are_refused() {
    let token = server().auth.issue(&caller(), Duration::from_mins(1)).expect("issued").token;
    assert_refused(&SERVER.auth, "another server", &token);
}

#[test]
fn more_grants_than_fit_are_refused_when_the_token_is_made() {
    let grant = Grant { namespace: Some("a".repeat(63).parse().expect("a name")), role: Role::Viewer };
    let many = Caller { subject: "ann".into(), grants: vec![grant; 100] };
    let refused = SERVER.auth.issue(&many, Duration::from_mins(1)).expect_err("refused");
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
}

#[test]
fn no_token_outlives_the_longest_life() {
    let token = SERVER.auth.issue(&caller(), Duration::MAX).expect("issued");
    assert_eq!(token.expires_at, Timestamp::from_millis(START as i64 * 1000) + MAX_TTL);
    assert!(SERVER.auth.verify(&token.token).is_ok());
}

proptest! {
    #[test]
    fn a_flipped_byte_never_verifies(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let good = hs256(&good_claims());
        let mut bytes = good.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(forged) = String::from_utf8(bytes) && forged != good {
            prop_assert!(SERVER.auth.verify(&forged).is_err(), "{forged}");
        }
    }

    #[test]
    fn no_text_panics_or_verifies(text in ".{0,200}") {
        prop_assert!(SERVER.auth.verify(&text).is_err());
    }
}

#[test]
fn no_other_last_letter_of_the_signature_verifies() {
    let good = hs256(&good_claims());
    let (head, last) = good.split_at(good.len() - 1);
    for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars() {
        let forged = format!("{head}{letter}");
        assert_eq!(SERVER.auth.verify(&forged).is_ok(), last.starts_with(letter), "{letter}");
    }
}
