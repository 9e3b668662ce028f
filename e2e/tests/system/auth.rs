use crate::contract::{bindings, rpcs};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use eventflow_e2e::grpc::web_frame;
use eventflow_e2e::support::echo;
use eventflow_e2e::{Answer, Rest, Server};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

/// What works without a token: to get one.
const PUBLIC: [&str; 2] =
    ["/eventflow.v1.AuthService/IssueToken", "/eventflow.v1.AuthService/GetLoginOptions"];

fn refused(answer: &Answer, what: &str) {
    assert_eq!((answer.status, answer.reason().as_str()), (401, "Unauthenticated"), "{what}: {answer:?}");
    assert!(answer.header("www-authenticate").starts_with("Bearer"), "{what}: {answer:?}");
}

#[tokio::test]
async fn every_rest_route_but_the_login_refuses_the_anonymous() {
    let server = Server::start().await;
    let rest = server.anonymous();
    for binding in bindings() {
        let path = binding.path.replace("{name}", "a").replace("{namespace}", "default");
        let path = path.replace("{id}", "01890000-0000-7000-8000-000000000000");
        let call = rest.request(binding.method, &path);
        let call = if matches!(binding.method, "POST" | "PUT") { call.json(&json!({})) } else { call };
        let answer = call.send().await;
        if PUBLIC.contains(&binding.rpc.as_str()) {
            let expected = if binding.rpc.ends_with("IssueToken") { "LoginFailed" } else { "" };
            assert!(
                answer.status == 200 || answer.reason() == expected || answer.status == 400,
                "{binding:?}: {answer:?}"
            );
        } else {
            refused(&answer, &format!("{binding:?}"));
        }
    }
}

#[tokio::test]
async fn every_rpc_but_the_login_refuses_the_anonymous() {
    let server = Server::start().await;
    let rest = server.anonymous();
    let rpcs = rpcs();
    assert!(rpcs.len() >= 30, "{rpcs:?}");
    for rpc in rpcs {
        let call = rest.request("POST", &rpc).header("content-type", "application/grpc-web+proto");
        let answer = call.body(web_frame(&())).send().await;
        let in_body = String::from_utf8_lossy(&answer.body).into_owned();
        let status = match answer.header("grpc-status") {
            "" => in_body
                .split("grpc-status:")
                .nth(1)
                .unwrap_or_default()
                .trim()
                .chars()
                .take_while(char::is_ascii_digit)
                .collect(),
            status => status.to_owned(),
        };
        if rpc == PUBLIC[0] {
            // Empty credentials are wrong ones: refused for what they are.
            continue;
        }
        let expected = if rpc == PUBLIC[1] { "0" } else { "16" };
        assert_eq!((answer.status, status.as_str()), (200, expected), "{rpc}: {answer:?}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_from_nothing_and_guessing_is_slowed() {
    let server = Server::start().await;
    let rest = server.anonymous();
    let login = async |name: &str, password: &str| {
        rest.post("/auth/token", &json!({"username": name, "password": password})).await
    };
    let wrong = login("admin", "wrong").await;
    let unknown = login("nobody", "wrong").await;
    assert_eq!((wrong.status, unknown.status), (401, 401), "{wrong:?} {unknown:?}");
    assert_eq!(wrong.json()["detail"], unknown.json()["detail"], "whether a name exists is not told");
}

fn token(header: &Value, claims: &Value, key: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn claims_of(rest: &Rest) -> Value {
    let claims = rest.token().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

#[tokio::test]
async fn forged_tokens_all_get_the_same_refusal() {
    let server = Server::start().await;
    let rest = server.rest().await;
    let good = rest.token().unwrap().to_owned();
    let claims = claims_of(&rest);
    let parts: Vec<&str> = good.split('.').collect();
    let hs256 = json!({"alg": "HS256", "typ": "JWT"});
    let unsigned = format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), parts[1]);
    let mut other_claims = claims.clone();
    other_claims["sub"] = json!("somebody");
    let spliced = format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(other_claims.to_string()), parts[2]);
    let forged = [
        ("garbage", "garbage".to_owned()),
        ("empty", String::new()),
        ("unsigned", unsigned),
        ("other claims under the old signature", spliced),
        ("signed by the empty key", token(&hs256, &claims, b"")),
        ("signed by a guessed key", token(&hs256, &claims, b"secret")),
        ("another algorithm in the header", token(&json!({"alg": "HS512"}), &claims, b"secret")),
        ("an unknown key id", token(&json!({"alg": "HS256", "kid": "../../dev/null"}), &claims, b"")),
        ("the signature cut off", format!("{}.{}", parts[0], parts[1])),
        ("a byte too many", format!("{good}A")),
    ];
    let mut texts = Vec::new();
    for (what, token) in forged {
        let answer = rest.with_token(&token).get("/v1/functions").await;
        refused(&answer, what);
        texts.push(answer.json()["detail"].clone());
    }
    let huge = rest.with_token(&"x".repeat(12 << 10)).get("/v1/functions").await;
    refused(&huge, "a huge token");
    texts.dedup();
    assert_eq!(texts.len(), 1, "one constant text: {texts:?}");
    assert_eq!(rest.get("/v1/functions").await.status, 200);
}

#[tokio::test]
async fn expired_early_and_foreign_tokens_are_refused_though_signed_by_our_key() {
    let server = Server::start().await;
    let rest = server.rest().await;
    let claims = claims_of(&rest);
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let key = std::fs::read(server.data().join("jwt.key")).unwrap();
    let key = key.trim_ascii_end().to_vec();
    let signed = rest.with_token(&token(&header, &claims, &key));
    assert_eq!(signed.get("/v1/functions").await.status, 200, "the test signs as the server does");
    let now = claims["iat"].as_i64().unwrap();
    let bad = [
        ("expired", "exp", json!(now - 3600)),
        ("not yet", "nbf", json!(now + 3600)),
        ("another audience", "aud", json!("somebody-else")),
        ("another issuer", "iss", json!("somebody-else")),
    ];
    for (what, claim, value) in bad {
        let mut changed = claims.clone();
        changed[claim] = value;
        refused(&rest.with_token(&token(&header, &changed, &key)).get("/v1/functions").await, what);
    }
    for claim in ["exp", "aud", "iss"] {
        let mut without = claims.clone();
        without.as_object_mut().unwrap().remove(claim);
        refused(&rest.with_token(&token(&header, &without, &key)).get("/v1/functions").await, claim);
    }
    let mut viewer = claims.clone();
    viewer["grants"] = json!([{"namespace": "default", "role": "viewer"}]);
    let viewer = rest.with_token(&token(&header, &viewer, &key));
    rest.apply(&echo("a")).await;
    assert_eq!(viewer.get("/v1/functions/a").await.status, 200);
    for (method, path) in [
        ("DELETE", "/v1/functions/a"),
        ("POST", "/v1/functions/a:invoke"),
        ("POST", "/v1/functions/a:invoke?wait=5s"),
        ("POST", "/v1/functions/a:pause"),
    ] {
        let answer = viewer.request(method, path).send().await;
        assert_eq!(answer.status, 403, "a viewer may not {method} {path}: {answer:?}");
        assert!(answer.text().contains("functions"), "it names the permission: {answer:?}");
    }
    assert!(matches!(viewer.get("/v1/namespaces/other/functions/a").await.status, 403 | 404));
}

#[tokio::test]
async fn a_foreign_host_header_is_refused_on_every_kind_of_path() {
    let server = Server::start().await;
    let rest = server.rest().await;
    for path in ["/v1/functions", "/auth/token", "/fn/default/a", "/metrics", "/openapi.json"] {
        for host in ["evil.example", "127.0.0.1.evil.example", "169.254.169.254"] {
            let answer = rest.request("GET", path).header("host", host).send().await;
            assert_eq!(answer.status, 421, "{path} for {host}: {answer:?}");
        }
    }
    for host in ["localhost:1", "[::1]:8080", "127.0.0.1"] {
        let answer = rest.request("GET", "/v1/functions").header("host", host).send().await;
        assert_eq!(answer.status, 200, "{host}: {answer:?}");
    }
}

#[tokio::test]
async fn a_foreign_origin_gets_no_cors_and_no_answer() {
    let server = Server::options().set("gateway.origins=https://console.example").start().await;
    let rest = server.rest().await;
    let from = |origin: &str| rest.request("GET", "/v1/functions").header("origin", origin);
    for origin in ["https://evil.example", "null", "https://console.example.evil.example"] {
        let answer = from(origin).send().await;
        assert_eq!(answer.status, 403, "{origin}: {answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
        let preflight = rest.request("OPTIONS", "/v1/functions").header("origin", origin);
        let preflight = preflight.header("access-control-request-method", "POST").send().await;
        assert_eq!(preflight.header("access-control-allow-origin"), "", "{origin}: {preflight:?}");
    }
    for origin in [server.url().as_str(), "https://console.example"] {
        let answer = from(origin).send().await;
        assert_eq!(
            (answer.status, answer.header("access-control-allow-origin")),
            (200, origin),
            "{answer:?}"
        );
    }
    let same = rest
        .request("GET", "/v1/functions")
        .header("origin", "https://console.example")
        .header("host", "127.0.0.1");
    assert_eq!(same.send().await.status, 200);
}
