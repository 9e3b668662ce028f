//! Functions that cannot be (rows 1, 10 to 13, 17, 18, 32 to 34).

use super::{Refusal, Scene, check, invalid, refusal};
use eventflow_e2e::support::{ECHO_WAT, shell_with};
use serde_json::{Value, json};

fn with(more: Value) -> Value {
    shell_with("b", "exec cat", more)
}

async fn refuse_all(scene: &Scene, rows: &[(&str, Value, Refusal<'_>)]) {
    let work = async {
        for (what, function, refusal) in rows {
            let answer = scene.rest.post("/v1/functions", function).await;
            check(what, &answer, *refusal);
            let dry = scene.rest.post("/v1/functions?dryRun=true", function).await;
            check(&format!("{what}, as a dry run"), &dry, *refusal);
        }
    };
    scene.unchanged(work).await;
}

#[tokio::test]
async fn names_that_are_no_dns_labels_are_refused_with_the_rule() {
    let scene = Scene::start().await;
    let long = "a".repeat(45);
    let work = async {
        for (what, name) in [
            ("empty", ""),
            ("upper case", "Hello"),
            ("too long", long.as_str()),
            ("a leading digit", "1a"),
            ("dots", ".."),
            ("a slash", "a/b"),
            ("a homoglyph", "\u{430}dmin"),
            ("a trailing hyphen", "a-"),
            ("a blank", "a b"),
            ("a newline", "a\nb"),
            ("an underscore", "a_b"),
        ] {
            let mut function = with(json!({}));
            function["name"] = json!(name);
            let answer = scene.rest.post("/v1/functions", &function).await;
            check(what, &answer, invalid(&["name"], &[]));
            assert!(!answer.text().contains(['\u{430}', '\n']), "{what}: shown escaped: {answer:?}");
            // A namespace may be longer and may start with a digit, as in Kubernetes; without one it is `default`.
            if !matches!(what, "empty" | "too long" | "a leading digit") {
                let function = with(json!({"namespace": name}));
                let answer = scene.rest.post("/v1/functions", &function).await;
                check(what, &answer, invalid(&["namespace"], &[]));
            }
        }
        let answer = scene.rest.post("/v1/functions", &with(json!({"namespace": "n".repeat(64)}))).await;
        check("a long namespace", &answer, invalid(&["namespace"], &["63"]));
        let mismatch = scene.rest.put("/v1/functions/c", &with(json!({}))).await;
        assert_eq!((mismatch.status, mismatch.reason().as_str()), (400, "Invalid"), "{mismatch:?}");
    };
    scene.unchanged(work).await;
}

#[tokio::test]
async fn times_retries_and_counts_out_of_range_are_refused_with_the_range() {
    let scene = Scene::start().await;
    let backoff = |backoff: Value| json!({"retry": {"maxAttempts": 2, "backoff": backoff}});
    let rows = [
        ("timeout 0", json!({"timeout": "0s"}), invalid(&["timeout"], &["1s to 24h"])),
        ("a negative timeout", json!({"timeout": "-1s"}), invalid(&["timeout"], &["1s to 24h"])),
        ("a timeout over the maximum", json!({"timeout": "25h"}), invalid(&["timeout"], &["1s to 24h"])),
        ("an unknown unit", json!({"timeout": "5x"}), invalid(&["timeout"], &["5x"])),
        ("a timeout that overflows", json!({"timeout": "99999999999999999999h"}), invalid(&["timeout"], &[])),
        ("start deadline", json!({"startDeadline": "2h"}), invalid(&["startDeadline"], &["1h"])),
        ("no attempts", json!({"retry": {"maxAttempts": 0}}), invalid(&["retry.maxAttempts"], &["1 to 100"])),
        (
            "a billion attempts",
            json!({"retry": {"maxAttempts": 1_000_000_000}}),
            invalid(&["retry.maxAttempts"], &["1 to 100"]),
        ),
        (
            "a wait longer than the queue keeps calls",
            json!({"retry": {"maxAttempts": 2, "backoff": {"max": "2h"}}, "queue": {"maxAge": "1h"}}),
            invalid(&["queue.maxAge", "retry.backoff.max"], &[]),
        ),
        (
            "a factor below 1",
            backoff(json!({"factor": 0.5})),
            invalid(&["retry.backoff.factor"], &["1 to 10"]),
        ),
        ("a jitter over 1", backoff(json!({"jitter": 2})), invalid(&["retry.backoff.jitter"], &["0 to 1"])),
        ("concurrency 0", json!({"concurrency": 0}), invalid(&["concurrency"], &["1 to"])),
        ("a negative queue", json!({"queue": {"max": -1}}), invalid(&["queue.max"], &["1 to"])),
        (
            "replicas beside scaling",
            json!({"mode": "http", "port": 80, "replicas": 1, "scaling": {"max": 2}}),
            invalid(&["replicas"], &["scaling"]),
        ),
        ("port 0", json!({"mode": "http", "port": 0}), invalid(&["port"], &["65535"])),
        ("port 65536", json!({"mode": "http", "port": 65536}), invalid(&["port"], &["65535"])),
        (
            "two at once",
            json!({"timeout": "0s", "concurrency": 0}),
            invalid(&["concurrency", "timeout"], &["and 1 more"]),
        ),
    ];
    let rows = rows.map(|(what, more, refusal)| (what, with(more), refusal));
    refuse_all(&scene, &rows).await;
}

#[tokio::test]
async fn environments_and_amounts_that_cannot_be_are_refused() {
    let scene = Scene::start().await;
    let huge = "x".repeat(40 << 10);
    let rows = [
        ("an empty variable", json!({"env": {"": "1"}}), invalid(&["env."], &[])),
        ("a variable with =", json!({"env": {"A=B": "1"}}), invalid(&["env.A=B"], &[])),
        (
            "a reserved prefix",
            json!({"env": {"EVENTFLOW_X": "1"}}),
            invalid(&["env.EVENTFLOW_X"], &["EventFlow sets itself"]),
        ),
        ("the port", json!({"env": {"PORT": "1"}}), invalid(&["env.PORT"], &["EventFlow sets itself"])),
        ("more than 32 KiB", json!({"env": {"A": huge}}), invalid(&["env"], &["32"])),
        (
            "no amount of memory",
            json!({"resources": {"memory": "12xyz"}}),
            invalid(&["resources.memory"], &["12xyz"]),
        ),
        (
            "memory over the maximum",
            json!({"resources": {"memory": "1025Gi"}}),
            invalid(&["resources.memory"], &["1Mi to 1024Gi", "1025Gi"]),
        ),
        (
            "memory under the minimum",
            json!({"resources": {"memory": "1"}}),
            invalid(&["resources.memory"], &["1Mi to 1024Gi"]),
        ),
        (
            "memory that overflows",
            json!({"resources": {"memory": "99999999999999999999Gi"}}),
            invalid(&["resources.memory"], &[]),
        ),
        (
            "CPU over the maximum",
            json!({"resources": {"cpu": "257"}}),
            invalid(&["resources.cpu"], &["1m to 256", "257"]),
        ),
        ("no CPU at all", json!({"resources": {"cpu": "0"}}), invalid(&["resources.cpu"], &["1m to 256"])),
        ("negative CPU", json!({"resources": {"cpu": "-1"}}), invalid(&["resources.cpu"], &[])),
        ("negative memory", json!({"resources": {"memory": "-1Mi"}}), invalid(&["resources.memory"], &[])),
        ("no amount of CPU", json!({"resources": {"cpu": "much"}}), invalid(&["resources.cpu"], &["much"])),
        ("no host", json!({"egress": ["example"]}), invalid(&["egress[0]"], &["host:port"])),
        (
            "a secret of no name",
            json!({"envFrom": [{"secretRef": {"name": "../x"}}]}),
            invalid(&["envFrom[0].secretRef.name"], &[]),
        ),
        ("neither secret nor config", json!({"envFrom": [{}]}), invalid(&["envFrom[0]"], &[])),
    ];
    let rows = rows.map(|(what, more, refusal)| (what, with(more), refusal));
    refuse_all(&scene, &rows).await;
}

#[tokio::test]
async fn code_that_cannot_be_is_refused() {
    let scene = Scene::start().await;
    let wasm = |image: &str| json!({"name": "b", "runtime": "wasm", "image": image});
    let nobody = format!("artifact@sha256:{}", "0".repeat(64));
    let rows = [
        ("no command", json!({"name": "b", "runtime": "process"}), invalid(&["command"], &[])),
        ("wasm without code", json!({"name": "b", "runtime": "wasm"}), invalid(&["image"], &[])),
        ("a bad digest", wasm("artifact@sha256:zz"), invalid(&["image"], &[])),
        ("an image with blanks", wasm("a b;c"), invalid(&["image"], &[])),
        ("an artifact that nobody uploaded", wasm(&nobody), invalid(&["image"], &["upload"])),
    ];
    refuse_all(&scene, &rows).await;
    let upload = async |code: Vec<u8>| {
        let answer = scene.rest.request("POST", "/v1/artifacts").body(code).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        format!("artifact@{}", answer.json()["digest"].as_str().unwrap())
    };
    let import = r#"(module (import "env" "launch" (func)) (memory (export "memory") 1)
        (func (export "ef_alloc") (param i32) (result i32) (i32.const 0))
        (func (export "ef_handle") (param i32 i32) (result i64) (i64.const 0)))"#;
    let work = async {
        for (what, code, says) in [
            ("no wasm", b"this is no module".to_vec(), ""),
            ("nothing", Vec::new(), ""),
            ("truncated", b"\0asm\x01\0\0\0\x01\x7f".to_vec(), ""),
            ("text that is cut off", ECHO_WAT.as_bytes()[..200].to_vec(), ""),
            ("an import that nobody gives", import.as_bytes().to_vec(), "launch"),
            ("no entry", b"(module)".to_vec(), ""),
        ] {
            let image = upload(code).await;
            let answer = scene.rest.post("/v1/functions", &wasm(&image)).await;
            check(what, &answer, invalid(&["image"], &[says]));
        }
    };
    scene.unchanged(work).await;
}

#[tokio::test]
async fn bodies_that_are_no_declaration_are_refused_with_their_place() {
    let scene = Scene::start().await;
    let deep = format!("{{\"env\": {}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let many: Vec<_> = (0..150_000).map(|n| format!("\"{n}\":\"\"")).collect();
    let many = format!("{{\"env\": {{{}}}}}", many.join(","));
    let work = async {
        let rows: [(&str, &[u8], Refusal<'_>); 17] = [
            ("syntax", b"{\"name\": }", refusal(400, "InvalidJson", &["line 1 column 10"])),
            ("cut off", b"{\"name\":", refusal(400, "InvalidJson", &["line 1"])),
            ("nothing", b"", invalid(&["name"], &[])),
            ("behind the end", b"{} {}", refusal(400, "InvalidJson", &["trailing"])),
            ("a list", b"[]", refusal(422, "WrongType", &["must be an object"]).with(&["body"])),
            ("a wrong type", b"{\"command\": \"cat\"}", refusal(422, "WrongType", &[]).with(&["command"])),
            (
                "a wrong inner type",
                b"{\"command\": [1]}",
                refusal(422, "WrongType", &[]).with(&["command[0]"]),
            ),
            (
                "an unknown field",
                b"{\"tiemout\": \"1s\"}",
                invalid(&["tiemout"], &["did you mean \"timeout\"?"]),
            ),
            (
                "an unknown inner field",
                b"{\"retry\": {\"maxAttemps\": 1}}",
                invalid(&["retry.maxAttemps"], &["maxAttempts"]),
            ),
            ("a field given twice", b"{\"name\": \"a\", \"name\": \"b\"}", invalid(&["name"], &["twice"])),
            (
                "a field by both its names",
                b"{\"startDeadline\": \"1s\", \"start_deadline\": \"2s\"}",
                invalid(&["start_deadline"], &["twice"]),
            ),
            (
                "an unknown value",
                b"{\"runtime\": \"proces\"}",
                invalid(&["runtime"], &["did you mean \"PROCESS\"?"]),
            ),
            ("a deep nest", deep.as_bytes(), refusal(400, "InvalidJson", &["recursion"])),
            ("very many keys", many.as_bytes(), refusal(400, "InvalidJson", &["100000"])),
            ("no UTF-8", b"{\"name\": \"\xff\"}", refusal(400, "InvalidJson", &["byte 10"])),
            ("NUL", b"{\"name\": \"a\\u0000b\"}", invalid(&["name"], &["NUL"])),
            ("half a surrogate pair", b"{\"name\": \"\\ud800\"}", refusal(400, "InvalidJson", &["line 1"])),
        ];
        for (what, body, refusal) in rows {
            let call = scene.rest.request("POST", "/v1/functions").header("content-type", "application/json");
            check(what, &call.body(body.to_vec()).send().await, refusal);
        }
        for (what, header, value, reason) in [
            ("a form", "content-type", "application/x-www-form-urlencoded", "UnsupportedMediaType"),
            ("YAML", "content-type", "application/yaml", "UnsupportedMediaType"),
            ("an encoded body", "content-encoding", "gzip", "UnsupportedEncoding"),
        ] {
            let answer =
                scene.rest.request("POST", "/v1/functions").header(header, value).body("{}").send().await;
            check(what, &answer, refusal(415, reason, &[]));
        }
    };
    scene.unchanged(work).await;
}
