use eventflow_e2e::Server;
use eventflow_e2e::support::echo;
use eventflow_e2e::wait::{SOON, settles};
use std::collections::BTreeSet;

#[tokio::test]
async fn a_server_says_that_it_is_alive_and_ready() {
    let server = Server::start().await;
    let rest = server.anonymous();
    let live = rest.get("/healthz").await;
    assert_eq!((live.status, live.json()["alive"].as_bool()), (200, Some(true)), "{live:?}");
    let ready = rest.get("/readyz").await;
    assert_eq!((ready.status, ready.json()["ready"].as_bool()), (200, Some(true)), "{ready:?}");
}

#[tokio::test]
async fn the_fixed_metrics_are_there_after_a_call_and_go_with_the_function() {
    let server = Server::options().dispatchers(1).start().await;
    let rest = server.rest().await;
    rest.apply(&echo("measured")).await;
    assert_eq!(rest.invoke("measured", "").await.status, 200);
    let counted = r#"function="measured""#;
    let metrics = settles(
        "the call in the metrics",
        SOON,
        async || server.monitored().get("/metrics").await,
        |metrics| metrics.text().contains(counted),
    )
    .await;
    assert!(metrics.header("content-type").starts_with("text/plain; version=0.0.4"), "{:?}", metrics.headers);
    // In a cluster each service tells its own.
    let text = metrics.text() + &rest.without_token().get("/metrics").await.text();
    let names: BTreeSet<_> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    for fixed in [
        "eventflow_function_invocations_total",
        "eventflow_function_duration_seconds_count",
        "eventflow_http_requests_total",
        "eventflow_active_functions",
        "process_resident_memory_bytes",
        "tokio_alive_tasks",
    ] {
        assert!(names.contains(fixed), "{fixed} is not in {names:?}");
    }
    let counts: Vec<_> =
        text.lines().filter(|line| line.starts_with("eventflow_function_invocations_total{")).collect();
    let succeeded = r#"{namespace="default",function="measured",state="SUCCEEDED"} 1"#;
    assert!(counts.iter().any(|line| line.ends_with(succeeded)), "{counts:#?}");

    rest.delete("/v1/functions/measured").await;
    settles(
        "the series to go",
        SOON,
        async || server.monitored().get("/metrics").await.text(),
        |text| !text.contains(counted),
    )
    .await;
}

#[tokio::test]
async fn the_openapi_document_has_every_annotated_path() {
    let server = Server::start().await;
    let document = server.anonymous().get("/openapi.json").await;
    assert_eq!((document.status, document.header("content-type")), (200, "application/json"));
    let document = document.json();
    assert!(
        document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")),
        "{}",
        document["openapi"]
    );
    let bindings = crate::contract::bindings();
    assert!(bindings.len() > 50, "{}", bindings.len());
    for binding in bindings {
        let operation = &document["paths"][&binding.path][binding.method.to_lowercase()];
        assert!(operation.is_object(), "{} {} is not described", binding.method, binding.path);
        let answers =
            operation["responses"].as_object().unwrap_or_else(|| panic!("answers of {}", binding.path));
        assert!(!answers.is_empty(), "{} {}", binding.method, binding.path);
    }
}
