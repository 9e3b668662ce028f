//! Requests that are HTTP but of no use (rows 14 to 16 and 25).

use super::{Scene, check, refusal};

#[tokio::test]
async fn odd_paths_and_methods_have_their_answers() {
    let scene = Scene::start().await;
    let work = async {
        for (method, path, status) in [
            ("GET", "/v1/nothing", 404),
            ("GET", "/nonsense", 404),
            ("GET", "/v2/functions", 404),
            ("GET", "/v1//functions", 404),
            ("GET", "/v1/functions/", 404),
            ("GET", "/v1/functions/a/b", 404),
            ("POST", "/v1/functions/a:invke", 404),
            ("GET", "/v1/functions/..%2f..%2fetc%2fpasswd", 400),
            ("GET", "/v1/functions/%252e%252e", 400),
            ("GET", "/v1/functions/a%5cb", 400),
            ("GET", "/v1/functions/a%00", 400),
            ("GET", "/v1/functions/a%0d%0aset-cookie", 400),
            ("GET", "/v1/functions/%ff", 400),
            ("GET", "/v1/functions/%zz", 400),
            ("GET", "/fn/default/..%2fa", 400),
            ("PATCH", "/v1/functions/a", 405),
            ("PUT", "/v1/functions", 405),
            ("DELETE", "/v1/invocations", 405),
            ("GET", "/v1/functions/a:invoke", 405),
            ("BREW", "/v1/functions", 405),
        ] {
            let answer = scene.rest.request(method, path).send().await;
            assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
            let problem = answer.json();
            assert!(
                problem["reason"].is_string() && problem["requestId"].is_string(),
                "{method} {path}: {problem}"
            );
            if status == 405 {
                assert!(answer.header("allow").len() > 2, "{method} {path}: {answer:?}");
            }
        }
        let nearest = scene.rest.request("POST", "/v1/functions/a:invke").send().await;
        assert!(
            nearest.json()["detail"].as_str().unwrap().contains("did you mean \":invoke\""),
            "{nearest:?}"
        );
    };
    scene.unchanged(work).await;
}

#[tokio::test]
async fn who_is_unknown_hears_of_that_before_anything_else() {
    let scene = Scene::start().await;
    let work = async {
        let anonymous = scene.rest.without_token();
        let forged = scene.rest.with_token("a.b.c");
        for rest in [&anonymous, &forged] {
            for (method, path, body) in [
                ("GET", "/v1/functions", "a body that GET does not take"),
                ("GET", "/v1/functions?nonsense=1&pageSize=-1", ""),
                ("POST", "/v1/functions", "{\"name\": "),
                ("POST", "/v1/functions/Not_A_Name:invoke?wait=never", "x"),
                ("POST", "/v1/artifacts?nonsense=1", "x"),
                ("GET", "/v1/invocations/nonsense/result", "x"),
                ("GET", "/v1/invocations/nonsense/logs?follow=maybe", ""),
                ("DELETE", "/v1/functions/..%2fx", "x"),
            ] {
                let answer = rest.request(method, path).body(body).send().await;
                check(&format!("{method} {path}"), &answer, refusal(401, "Unauthenticated", &[]));
                assert!(answer.header("www-authenticate").starts_with("Bearer"), "{answer:?}");
            }
        }
        let login = anonymous.request("POST", "/auth/token").body("{").send().await;
        check("a login needs no token", &login, refusal(400, "InvalidJson", &[]));
    };
    scene.unchanged(work).await;
}

#[tokio::test]
async fn too_many_and_too_large_headers_are_431() {
    let scene = Scene::start().await;
    let work = async {
        let large =
            scene.rest.request("POST", "/v1/functions/a:invoke").header("x-large", &"x".repeat(17 << 10));
        assert_eq!(large.send().await.status, 431);
        let mut many = scene.rest.request("POST", "/v1/functions/a:invoke");
        for number in 0..101 {
            many = many.header(&format!("x-{number}"), "1");
        }
        assert_eq!(many.send().await.status, 431);
        let token = scene.rest.with_token(&"x".repeat(64 << 10)).get("/v1/functions").await;
        assert!(matches!(token.status, 401 | 431), "{token:?}");
    };
    scene.unchanged(work).await;
}

#[tokio::test]
async fn a_deadline_that_is_none_is_400_and_one_that_is_over_504() {
    let scene = Scene::start().await;
    let work = async {
        for timeout in ["-1S", "soon", "", "1", "S", "1x", "1.5S", "999999999S"] {
            let call = scene.rest.request("POST", "/v1/functions/a:invoke").header("grpc-timeout", timeout);
            check(
                timeout,
                &call.body("x").send().await,
                refusal(400, "Invalid", &["grpc-timeout"]).with(&["grpc-timeout"]),
            );
        }
        let over = scene
            .rest
            .request("POST", "/v1/functions/a:invoke")
            .header("grpc-timeout", "0S")
            .body("x")
            .send()
            .await;
        check("0S", &over, refusal(504, "DeadlineExceeded", &[]));
    };
    scene.unchanged(work).await;
    let long = scene.rest.request("GET", "/v1/functions/a").header("grpc-timeout", "99999999H").send().await;
    assert_eq!(long.status, 200, "11,000 years are cut to a day: {long:?}");
}
