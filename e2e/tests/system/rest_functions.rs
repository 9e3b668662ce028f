use eventflow_e2e::Server;
use eventflow_e2e::support::{echo, shell, shell_with};
use serde_json::{Value, json};

#[tokio::test]
async fn apply_creates_then_updates_and_equal_changes_nothing() {
    let server = Server::start().await;
    let rest = server.rest().await;
    let created = rest.post("/v1/functions", &echo("a")).await;
    assert_eq!(
        (created.status, created.header("location")),
        (201, "/v1/namespaces/default/functions/a"),
        "{created:?}"
    );
    assert_eq!(created.header("etag"), format!("\"{}\"", created.json()["etag"].as_str().unwrap()));

    let same = rest.post("/v1/functions", &echo("a")).await;
    assert_eq!(same.status, 200, "{same:?}");
    assert_eq!((&same.json()["version"], &same.json()["etag"]), (&json!(1), &created.json()["etag"]));

    let more_retries = shell_with("a", "exec cat", json!({"retry": {"maxAttempts": 2}}));
    let policy = rest.put("/v1/functions/a", &more_retries).await;
    assert_eq!(
        (policy.status, &policy.json()["version"]),
        (200, &json!(1)),
        "retries are no version: {policy:?}"
    );
    assert_ne!(policy.json()["etag"], created.json()["etag"]);

    let other_code = rest.put("/v1/functions/a", &shell("a", "echo other")).await;
    assert_eq!((other_code.status, &other_code.json()["version"]), (200, &json!(2)), "{other_code:?}");
    assert_eq!(other_code.json().get("retry"), None, "apply replaces the whole declaration: {other_code:?}");
    assert_eq!(other_code.json()["uid"], created.json()["uid"]);
}

#[tokio::test]
async fn preconditions_of_apply_and_delete_hold_or_refuse() {
    let server = Server::start().await;
    let rest = server.rest().await;
    let create_only = || rest.request("POST", "/v1/functions").header("if-none-match", "*").json(&echo("a"));
    assert_eq!(create_only().send().await.status, 201);
    let again = create_only().send().await;
    assert_eq!((again.status, again.reason().as_str()), (409, "FunctionAlreadyExists"), "{again:?}");

    let etag = rest.get("/v1/functions/a").await.header("etag").to_owned();
    let change = |script: &str, etag: &str| {
        rest.request("PUT", "/v1/functions/a").header("if-match", etag).json(&shell("a", script))
    };
    let first = change("echo 2", &etag).send().await;
    assert_eq!(first.status, 200, "{first:?}");
    let stale = change("echo 3", &etag).send().await;
    assert_eq!((stale.status, stale.reason().as_str()), (412, "PreconditionFailed"), "{stale:?}");
    assert_eq!(rest.get("/v1/functions/a").await.json()["version"], 2, "the refused change left nothing");

    let stale = rest.request("DELETE", "/v1/functions/a").header("if-match", &etag).send().await;
    assert_eq!(stale.status, 412, "{stale:?}");
    let fresh = first.header("etag").to_owned();
    let gone = rest.request("DELETE", "/v1/functions/a").header("if-match", &fresh).send().await;
    assert_eq!(gone.status, 200, "{gone:?}");
}

#[tokio::test]
async fn a_read_with_a_current_etag_is_not_sent_again() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&echo("a")).await;
    let read = rest.get("/v1/functions/a").await;
    let again =
        rest.request("GET", "/v1/functions/a").header("if-none-match", read.header("etag")).send().await;
    assert_eq!((again.status, again.body.len()), (304, 0), "{again:?}");
}

#[tokio::test]
async fn a_dry_run_checks_everything_and_stores_nothing() {
    let server = Server::start().await;
    let rest = server.rest().await;
    let would = rest.post("/v1/functions?dry_run=true", &echo("a")).await;
    assert!(matches!(would.status, 200 | 201), "{would:?}");
    assert_eq!(would.json()["timeout"], "30s", "defaults are shown");
    assert_eq!(rest.get("/v1/functions/a").await.status, 404);
    let bad = rest.post("/v1/functions?dryRun=true", &json!({"name": "a", "runtime": "process"})).await;
    assert_eq!((bad.status, &bad.json()["errors"][0]["field"]), (400, &json!("command")), "{bad:?}");
}

#[tokio::test]
async fn lists_come_in_pages_in_the_order_of_names_and_are_filtered() {
    let server = Server::start().await;
    let rest = server.rest().await;
    assert_eq!(rest.get("/v1/functions").await.json(), json!({"functions": []}));
    for name in ["beta", "alpha", "gamma", "alphabet"] {
        rest.apply(&echo(name)).await;
    }
    let names = |page: &Value| {
        let functions = page["functions"].as_array().unwrap().iter();
        functions.map(|function| function["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let first = rest.get("/v1/functions?pageSize=3").await.json();
    assert_eq!(names(&first), ["alpha", "alphabet", "beta"]);
    let token = first["nextPageToken"].as_str().expect("another page");
    let last = rest.get(&format!("/v1/functions?pageSize=3&pageToken={token}")).await.json();
    assert_eq!((names(&last), last.get("nextPageToken")), (vec!["gamma".to_owned()], None));
    let filtered = rest.get("/v1/functions?nameContains=alph&runtime=process").await.json();
    assert_eq!(names(&filtered), ["alpha", "alphabet"]);
    assert_eq!(names(&rest.get("/v1/functions?runtime=WASM").await.json()), [""; 0]);
}

#[tokio::test]
async fn a_function_tells_its_figures() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&shell("a", r#"test "$(cat)" = fine"#)).await;
    assert_eq!(rest.invoke("a", "fine").await.status, 200);
    assert_eq!(rest.invoke("a", "bad").await.status, 502);
    let stats = eventflow_e2e::wait::settles(
        "two calls in the figures",
        eventflow_e2e::wait::SOON,
        async || rest.get("/v1/functions/a").await.json()["stats"].clone(),
        |stats| stats["calls"] == "2",
    )
    .await;
    assert_eq!(
        (&stats["failed"], &stats["queued"], &stats["running"]),
        (&json!("1"), &json!("0"), &json!("0"))
    );
    assert!(
        stats["p50"].is_string() && stats["p99"].is_string() && stats["lastCallTime"].is_string(),
        "{stats}"
    );
}

#[tokio::test]
async fn versions_are_listed_and_an_old_one_comes_back_as_a_new_one() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&shell("a", "echo one")).await;
    rest.apply(&shell("a", "echo two")).await;
    let versions = rest.get("/v1/functions/a/versions").await.json();
    let numbers: Vec<_> = versions["versions"].as_array().unwrap().iter().map(|v| &v["version"]).collect();
    assert_eq!(numbers, [&json!(2), &json!(1)]);
    assert_eq!(versions["versions"][0]["current"], true);
    assert_eq!(versions["versions"][1]["function"]["command"][2], "echo one");

    assert_eq!(rest.invoke("a", "").await.text(), "two\n");
    let old = rest.request("POST", "/v1/functions/a:invoke?wait=30s&version=1").send().await;
    assert_eq!((old.text().as_str(), old.header("eventflow-version")), ("one\n", "1"), "{old:?}");

    let back = rest.post("/v1/functions/a:rollback", &json!({"version": 1})).await;
    assert_eq!((back.status, &back.json()["version"]), (200, &json!(3)), "{back:?}");
    assert_eq!(rest.invoke("a", "").await.text(), "one\n");
    let unknown = rest.post("/v1/functions/a:rollback", &json!({"version": 9})).await;
    assert_eq!(unknown.status, 404, "{unknown:?}");
    let unknown = rest.request("POST", "/v1/functions/a:invoke?version=9").send().await;
    assert_eq!(unknown.status, 404, "{unknown:?}");
}

#[tokio::test]
async fn a_version_is_listed_as_it_was_declared() {
    let server = Server::start().await;
    let rest = server.rest().await;
    let first = rest.apply(&shell_with("a", "exec cat", json!({"env": {"A": "1"}}))).await;
    rest.apply(&shell_with("a", "exec cat", json!({"env": {"A": "2"}}))).await;
    let list = rest.get("/v1/functions/a/versions").await.json();
    let versions = list["versions"].as_array().unwrap();
    assert_eq!(versions.len(), 2, "{list}");
    for (version, number, current) in [(&versions[0], 2, true), (&versions[1], 1, false)] {
        assert_eq!(
            (&version["version"], &version["current"], &version["createdBy"]),
            (&json!(number), &json!(current), &json!("admin")),
            "{version}"
        );
        assert!(version["createTime"].is_string(), "{version}");
        let function = version["function"].as_object().unwrap();
        assert_eq!(function["env"]["A"], number.to_string(), "{version}");
        let output_only = ["version", "generation", "desiredCopies", "readyCopies", "uid", "state", "etag"];
        let told: Vec<_> = output_only.iter().filter(|key| function.contains_key(**key)).collect();
        assert!(told.is_empty(), "a declaration says nothing of {told:?}: {version}");
    }
    assert!(first["version"] == 1 && first["generation"] == "1" && first["readyCopies"] == 0, "{first}");
    let mut again = versions[1]["function"].clone();
    again.as_object_mut().unwrap().retain(|_, value| *value != json!([]));
    assert_eq!(rest.apply(&again).await["version"], 3, "it can be applied as it is");
}

#[tokio::test]
async fn a_paused_function_refuses_calls_holds_waiting_ones_and_goes_on_when_resumed() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&echo("a")).await;
    let delayed = rest.request("POST", "/v1/functions/a:invoke?delay=1s").body("later").send().await;
    assert_eq!(delayed.status, 202);
    let id = delayed.json()["id"].as_str().unwrap().to_owned();

    let paused = rest.request("POST", "/v1/functions/a:pause").send().await;
    assert_eq!((paused.status, &paused.json()["state"]), (200, &json!("PAUSED")), "{paused:?}");
    for query in ["", "?wait=5s"] {
        let refused = rest.request("POST", &format!("/v1/functions/a:invoke{query}")).send().await;
        assert_eq!((refused.status, refused.reason().as_str()), (409, "FunctionPaused"), "{refused:?}");
    }
    let still = rest.get(&format!("/v1/invocations/{id}?wait=2s")).await.json();
    assert_eq!(still["state"], "QUEUED", "a waiting call is held back: {still}");

    let resumed = rest.request("POST", "/v1/functions/a:resume").json(&json!({})).send().await;
    assert_eq!(resumed.status, 200, "{resumed:?}");
    assert_eq!(rest.ended(&id).await["state"], "SUCCEEDED");
    assert_eq!(rest.invoke("a", "now").await.text(), "now");
}

#[tokio::test]
async fn a_deleted_function_ends_its_calls_and_its_records_stay() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&shell_with("a", "sleep 60", json!({"concurrency": 1}))).await;
    let running = rest.invoke_async("a", "").await;
    eventflow_e2e::wait::settles(
        "a run",
        eventflow_e2e::wait::SOON,
        async || rest.record(&running).await,
        |record| record["state"] == "RUNNING",
    )
    .await;
    let waiting = rest.invoke_async("a", "").await;
    let deleted = rest.delete("/v1/functions/a").await;
    assert_eq!((deleted.status, &deleted.json()["cancelled"]), (200, &json!("2")), "{deleted:?}");
    for id in [&running, &waiting] {
        let record = rest.ended(id).await;
        assert_eq!(
            (&record["state"], &record["reason"]),
            (&json!("CANCELLED"), &json!("FunctionDeleted")),
            "{record}"
        );
    }
    assert_eq!(rest.get("/v1/functions/a").await.status, 404);
    assert_eq!(rest.request("POST", "/v1/functions/a:invoke").send().await.reason(), "FunctionNotFound");
    assert_eq!(rest.delete("/v1/functions/a").await.status, 404);

    let anew = rest.apply(&echo("a")).await;
    assert_eq!(anew["version"], 2, "a function of the same name goes on numbering: {anew}");
    let replayed = rest.record(&running).await;
    assert_ne!(anew["uid"], replayed["functionUid"]);
}

#[tokio::test]
async fn namespaces_keep_functions_and_calls_apart() {
    let server = Server::start().await;
    let rest = server.rest().await;
    let here = rest.post("/v1/namespaces/media/functions", &shell("a", "echo media")).await;
    assert_eq!((here.status, &here.json()["namespace"]), (201, &json!("media")), "{here:?}");
    assert_eq!(rest.get("/v1/functions/a").await.status, 404);
    rest.apply(&shell("a", "echo default")).await;
    let call = rest.request("POST", "/v1/namespaces/media/functions/a:invoke?wait=30s").send().await;
    assert_eq!(call.text(), "media\n");
    let id = call.header("eventflow-invocation-id");
    assert_eq!(rest.get(&format!("/v1/namespaces/media/invocations/{id}")).await.status, 200);
    assert_eq!(rest.get(&format!("/v1/namespaces/default/invocations/{id}")).await.status, 404);
    assert_eq!(rest.get("/v1/invocations").await.json()["invocations"], json!([]));
    let all = rest.get("/v1/namespaces/-/functions").await.json();
    assert_eq!(all["functions"].as_array().unwrap().len(), 2, "{all}");
    let mixed = rest
        .post("/v1/namespaces/media/functions", &shell_with("b", "true", json!({"namespace": "x"})))
        .await;
    assert_eq!(mixed.status, 400, "{mixed:?}");
}
