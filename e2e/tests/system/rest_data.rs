use eventflow_e2e::shape::only_local;
use eventflow_e2e::support::{ECHO_WAT, echo, shell_with};
use eventflow_e2e::wait::{SOON, until};
use eventflow_e2e::{Rest, Server};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

async fn upload(rest: &Rest, code: impl Into<bytes::Bytes>) -> String {
    let call = rest.request("POST", "/v1/artifacts").header("content-type", "application/octet-stream");
    let answer = call.body(code).send().await;
    assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    answer.json()["digest"].as_str().expect("a digest").to_owned()
}

#[tokio::test]
async fn a_large_payload_passes_through_the_blob_store_whole() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&shell_with("sum", "sha256sum | cut -c1-64", json!({}))).await;
    rest.apply(&shell_with(
        "back",
        "cat \"$EVENTFLOW_PAYLOAD_FILE\" > \"$EVENTFLOW_RESULT_FILE\"",
        json!({}),
    ))
    .await;
    let payload: Vec<u8> = (0..5 << 20).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();

    let id = rest.invoke_async("back", payload.clone()).await;
    let record = rest.ended(&id).await;
    assert_eq!(
        (&record["state"], &record["resultSize"]),
        (&json!("SUCCEEDED"), &json!("5242880")),
        "{record}"
    );
    let result = rest.get(&format!("/v1/invocations/{id}/result")).await;
    assert!(result.body == payload, "the result differs: {} bytes", result.body.len());
    let kept = rest.get(&format!("/v1/invocations/{id}/payload")).await;
    assert!(kept.body == payload, "the payload differs: {} bytes", kept.body.len());

    let sum = rest.invoke("sum", payload).await;
    assert_eq!(sum.text().trim().len(), 64, "{sum:?}");
}

#[tokio::test]
async fn a_payload_over_the_limit_is_413_with_limit_and_size() {
    let server = Server::options().set("limits.payload=1Mi").start().await;
    let rest = server.rest().await;
    rest.apply(&echo("a")).await;
    let fits = rest.invoke("a", vec![b'x'; 1 << 20]).await;
    assert_eq!(fits.status, 200, "{fits:?}");
    rest.ended(fits.header("eventflow-invocation-id")).await;
    let refused = rest.invoke("a", vec![b'x'; (1 << 20) + 1]).await;
    assert_eq!((refused.status, refused.reason().as_str()), (413, "TooLarge"), "{refused:?}");
    let metadata = &refused.json()["metadata"];
    assert_eq!(
        (&metadata["limit"], &metadata["size"]),
        (&json!("1048576"), &json!("1048577")),
        "{refused:?}"
    );
    assert_eq!(rest.get("/v1/invocations").await.json()["invocations"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_uploaded_wat_module_runs() {
    let server = Server::start().await;
    let rest = server.rest().await;
    let digest = upload(&rest, ECHO_WAT).await;
    assert!(digest.starts_with("sha256:") && digest.len() == 71, "{digest}");
    assert_eq!(upload(&rest, ECHO_WAT).await, digest, "the same content is the same artifact");
    let function = json!({"name": "w", "runtime": "wasm", "image": format!("artifact@{digest}")});
    rest.apply(&function).await;
    let answer = rest.invoke("w", "through wasm").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "through wasm"), "{answer:?}");

    let unknown =
        json!({"name": "w2", "runtime": "wasm", "image": format!("artifact@sha256:{}", "0".repeat(64))});
    let refused = rest.post("/v1/functions", &unknown).await;
    assert!((400..500).contains(&refused.status), "{refused:?}");
}

#[tokio::test]
async fn an_artifact_over_the_limit_is_413_and_stores_nothing() {
    let server = Server::options().set("limits.artifact=64Ki").start().await;
    let rest = server.rest().await;
    let call = rest.request("POST", "/v1/artifacts").header("content-type", "application/wasm");
    let refused = call.body(vec![0; (64 << 10) + 1]).send().await;
    assert_eq!(refused.status, 413, "{refused:?}");
}

#[tokio::test]
async fn secrets_and_configs_reach_the_function_and_no_answer() {
    const SECRET: &str = "canary-7f2a91c4";
    let server = Server::start().await;
    let rest = server.rest().await;
    let put = rest.put("/v1/secrets/keys", &json!({"values": {"API_KEY": SECRET}})).await;
    assert_eq!(put.status, 200, "{put:?}");
    let config = rest.put("/v1/configs/plain", &json!({"values": {"COLOUR": "green"}})).await;
    assert_eq!(config.status, 200, "{config:?}");
    let sources = json!({"envFrom": [{"secretRef": {"name": "keys"}}, {"configMapRef": {"name": "plain"}}]});
    let script = "printf %s \"$API_KEY\" | md5sum | cut -c1-32; echo $COLOUR";
    let applied = rest.apply(&shell_with("a", script, sources)).await;
    let answer = rest.invoke("a", "").await;
    assert!(answer.text().ends_with("\ngreen\n") && !answer.text().starts_with("d41d8"), "{answer:?}");

    let listed = rest.get("/v1/secrets").await;
    assert_eq!(
        (&listed.json()["entries"][0]["name"], &listed.json()["entries"][0]["keys"]),
        (&json!("keys"), &json!(["API_KEY"]))
    );
    let mut said = vec![put.text(), listed.text(), applied.to_string(), server.stderr()];
    for path in ["/v1/functions/a", "/v1/functions/a/versions", "/v1/configs", "/v1/invocations", "/metrics"]
    {
        said.push(rest.get(path).await.text());
    }
    let leaks: Vec<_> = said.iter().filter(|text| text.contains(SECRET)).collect();
    assert!(leaks.is_empty(), "the secret is in {leaks:?}");
    assert_eq!(rest.get("/v1/secrets/keys").await.status, 405, "a secret is never read back");

    assert_eq!(rest.delete("/v1/secrets/keys").await.status, 200);
    assert_eq!(rest.get("/v1/secrets").await.json(), json!({"entries": []}));
    let without = rest.invoke("a", "").await;
    assert!(without.status >= 400, "a missing secret is no empty one: {without:?}");
    assert!(without.text().contains("keys"), "the answer names the secret: {without:?}");
}

#[tokio::test]
async fn the_data_folder_is_the_owners_alone() {
    if !only_local("the test makes the folder there") {
        return;
    }
    let server = Server::start().await;
    let open = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o077;
    assert_eq!(open(server.data()), 0, "mode of {:?}", server.data());
}

#[tokio::test]
async fn what_was_accepted_outlives_a_restart() {
    let mut server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&echo("a")).await;
    let done = rest.invoke("a", "kept").await.header("eventflow-invocation-id").to_owned();
    let later = rest.request("POST", "/v1/functions/a:invoke?delay=1s").body("later").send().await;
    let later = later.json()["id"].as_str().unwrap().to_owned();
    rest.ended(&done).await;
    let ended = server.stop().await;
    assert!(ended.success(), "a graceful end: {ended:?}");
    server.restart().await;
    assert_eq!(rest.record(&done).await["resultText"], "kept", "and the token holds too");
    assert_eq!(rest.ended(&later).await["resultText"], "later");
}

#[tokio::test]
async fn an_old_artifact_is_young_again_once_an_apply_has_named_it() {
    let mut server = Server::options().set("retention.every=3s").start().await;
    let rest = server.rest().await;
    let [named, forgotten] = [upload(&rest, ECHO_WAT).await, upload(&rest, format!("{ECHO_WAT};;")).await];
    let file = |server: &Server, digest: &str| {
        server.data().join("blobs/artifacts").join(digest.strip_prefix("sha256:").unwrap())
    };
    let function =
        |digest: &str| json!({"name": "w", "runtime": "wasm", "image": format!("artifact@{digest}")});
    // A collection must not come in between.
    server.stop().await;
    for digest in [&named, &forgotten] {
        let written = fs::metadata(file(&server, digest)).unwrap().modified().unwrap();
        let made_old = written - Duration::from_secs(3 * 3600);
        let times = fs::FileTimes::new().set_modified(made_old);
        fs::File::options().write(true).open(file(&server, digest)).unwrap().set_times(times).unwrap();
    }
    server.restart().await;
    let rest = server.rest().await;
    // Only looked at, so that nothing but its age protects it.
    let looked_at = rest.post("/v1/functions?dryRun=true", &function(&named)).await;
    assert_eq!(looked_at.status, 200, "{looked_at:?}");
    until("the forgotten one to go", SOON, async || (!file(&server, &forgotten).exists()).then_some(()))
        .await;
    assert!(file(&server, &named).exists(), "the same collection found it young");
    assert_eq!(rest.post("/v1/functions", &function(&named)).await.status, 201);
    let refused = rest.post("/v1/functions", &function(&forgotten)).await;
    assert_eq!((refused.status, refused.reason().as_str()), (400, "Invalid"), "{refused:?}");
    assert!(refused.text().contains("upload"), "{refused:?}");
}
