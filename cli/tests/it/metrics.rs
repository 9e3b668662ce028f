//! `/metrics` of the running process.

use crate::server::Server;
use serde_json::json;

/// The names that dashboards rely on, with the kind of each.
const FIXED: [(&str, &str); 13] = [
    ("eventflow_function_invocations_total", "counter"),
    ("eventflow_function_duration_seconds", "histogram"),
    ("eventflow_http_requests_total", "counter"),
    ("eventflow_active_functions", "gauge"),
    ("eventflow_function_queue_depth", "gauge"),
    ("process_cpu_seconds_total", "counter"),
    ("process_resident_memory_bytes", "gauge"),
    ("process_open_fds", "gauge"),
    ("process_threads", "gauge"),
    ("process_start_time_seconds", "gauge"),
    ("tokio_workers", "gauge"),
    ("tokio_alive_tasks", "gauge"),
    ("tokio_global_queue_depth", "gauge"),
];

/// A counter or a gauge of whole numbers.
fn sample(text: &str, series: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok());
    value.unwrap_or_else(|| panic!("{series} is missing:\n{text}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fixed_names_are_there_and_count() {
    let server = Server::start(&[]).await;
    server.apply(&json!({"name": "fine", "runtime": "process", "command": ["true"]})).await;
    let call = server.send("POST", "/v1/functions/fine:invoke?wait=20s", &[], "").await;
    assert_eq!(call.status, 200, "{}", call.body);

    let plain = server.send("GET", "/metrics", &[("accept", "*/*")], "").await;
    assert_eq!(plain.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    for (name, kind) in FIXED {
        assert!(plain.body.contains(&format!("# TYPE {name} {kind}\n")), "{name}:\n{}", plain.body);
    }
    assert!(!plain.body.contains("# EOF"));
    let of = "namespace=\"default\",function=\"fine\"";
    let count = |series: &str| sample(&plain.body, series);
    assert_eq!(count(&format!("eventflow_function_invocations_total{{{of},state=\"SUCCEEDED\"}}")), 1);
    assert_eq!(count(&format!("eventflow_function_duration_seconds_count{{{of}}}")), 1);
    assert_eq!(count("eventflow_active_functions"), 1);
    let route = "method=\"POST\",route=\"/v1/functions/{name}:invoke\",status=\"200\"";
    assert_eq!(count(&format!("eventflow_http_requests_total{{{route}}}")), 1);

    let prometheus =
        "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let open = server.send("GET", "/metrics", &[("accept", prometheus)], "").await;
    assert!(open.headers["content-type"].starts_with("application/openmetrics-text; version=1.0.0"));
    assert!(open.body.ends_with("# EOF\n"));

    let gone = server.send("DELETE", "/v1/functions/fine", &[], "").await;
    assert!((200..300).contains(&gone.status), "{}", gone.body);
    for _ in 0..100 {
        let body = server.send("GET", "/metrics", &[], "").await.body;
        if !body.contains("function=\"fine\"") && sample(&body, "eventflow_active_functions") == 0 {
            server.stop().await;
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("a deleted function keeps its series");
}
