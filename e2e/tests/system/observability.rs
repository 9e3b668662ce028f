//! What the platform tells about itself: metrics and what is built on them, and traces as a real collector gets them.

mod collector;
mod compose;
mod deployed;
mod promql;
mod scrape;
mod trace;

use collector::Collector;
use eventflow_e2e::server::Options;
use eventflow_e2e::shape::Shape;
use eventflow_e2e::support::{echo, shell, shell_with};
use eventflow_e2e::wait::{SOON, settles, until};
use eventflow_e2e::{Rest, Server};
use scrape::Series;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use trace::Trace;

/// Metrics that only a cluster has: of a bus over the network, of a gateway that is a process of its own.
const OF_A_CLUSTER: [&str; 2] = [BUS, "eventflow_gateway_"];
const BUS: &str = "eventflow_bus_";

#[tokio::test]
async fn every_metric_and_label_of_dashboard_and_alerts_exists() {
    // The counts are of one process.
    let server = Server::options().dispatchers(1).start().await;
    let rest = server.rest().await;
    rest.apply(&echo("fine")).await;
    rest.apply(&shell_with("broken", "exit 1", json!({"retry": twice()}))).await;
    assert_eq!(rest.invoke("fine", "").await.status, 200);
    let id = rest.invoke_async("broken", "").await;
    let record = rest.ended(&id).await;
    assert_eq!(record["attempts"].as_array().map(Vec::len), Some(2), "{record}");

    let of_broken = r#"{namespace="default",function="broken"}"#;
    let failed = r#"{namespace="default",function="broken",state="FAILED"}"#;
    let series = settles(
        "the failed call in the metrics",
        SOON,
        async || Series::of(&server).await,
        |series| series.value("eventflow_function_invocations_total", failed) == Some(1.0),
    )
    .await;
    for (name, value) in [
        ("eventflow_function_retries_total", 1.0),
        ("eventflow_function_dead_letters_total", 1.0),
        ("eventflow_function_duration_seconds_count", 2.0),
        ("eventflow_function_in_flight", 0.0),
    ] {
        assert_eq!(series.value(name, of_broken), Some(value), "{name}");
    }

    let local = Shape::wanted() == Shape::Local;
    let mut names = BTreeSet::new();
    for (place, expression) in deployed::expressions() {
        let named = promql::named(&expression).unwrap_or_else(|why| panic!("{place}: {why}: {expression}"));
        assert!(!named.metrics.is_empty(), "{place} names no metric: {expression}");
        if local && named.metrics.keys().any(|name| of_a_cluster(name)) {
            continue;
        }
        let problems = series.problems(&named);
        assert!(problems.is_empty(), "{place}: {problems:?} in {expression}");
        names.extend(named.metrics.into_keys());
    }
    documented(&series, local);
    // Where the files are not read at all, nothing above fails.
    assert!(names.len() > 20, "{names:?}");
    assert!(local || names.iter().any(|name| name.starts_with(BUS)), "{names:?}");
}

fn of_a_cluster(name: &str) -> bool {
    OF_A_CLUSTER.iter().any(|prefix| name.starts_with(prefix))
}

/// What is served is explained, and what is explained is served.
fn documented(series: &Series, local: bool) {
    let text = std::fs::read_to_string(eventflow_e2e::root().join("docs/observability.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `eventflow_")?.split_once('`'));
    let explained: BTreeSet<_> = rows.map(|(name, _)| format!("eventflow_{name}")).collect();
    // The three series of a histogram are one metric.
    let metric = |name: &str| {
        let parts = ["_bucket", "_count", "_sum"];
        parts.iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name).to_owned()
    };
    let served = series.names().filter(|name| name.starts_with("eventflow_"));
    let mut served: BTreeSet<_> = served.map(metric).collect();
    if local {
        served.extend(explained.iter().filter(|name| of_a_cluster(name)).cloned());
    }
    assert_eq!(served, explained, "what is served, and the table of docs/observability.md");
}

#[test]
fn what_alerts_and_legends_show_are_labels_of_their_expressions() {
    let mut shown = 0;
    for (place, expression, labels) in deployed::shown() {
        let named = promql::named(&expression).unwrap_or_else(|why| panic!("{place}: {why}"));
        for label in labels {
            shown += 1;
            let added = ["job", "instance"].contains(&label.as_str()) && named.kept.is_empty();
            assert!(added || named.kept.contains(&label), "{place} shows {label:?} of {expression}");
        }
    }
    assert!(shown > 20, "{shown}");
}

/// The span of the client, in all traces.
const CLIENT: &str = "00f067aa0ba902b7";

#[tokio::test]
async fn an_asynchronous_call_is_one_trace_in_a_real_collector() {
    let collector = Collector::start().await;
    let server = traced(&collector).start().await;
    let rest = server.rest().await;
    rest.apply(&shell("once", "printf %s \"$TRACEPARENT\"")).await;
    let script = "[ \"$EVENTFLOW_ATTEMPT\" = 2 ] && printf %s \"$TRACEPARENT\"";
    rest.apply(&shell_with("retried", script, json!({"retry": twice()}))).await;

    for (name, attempts, id) in
        [("once", 1, "4bf92f3577b34da6a3ce929d0e0e4736"), ("retried", 2, "0af7651916cd43dd8448eb211c80319c")]
    {
        let call = invoke(&rest, name, id).await;
        let record = rest.ended(&call).await;
        assert_eq!((&record["state"], &record["traceId"]), (&json!("SUCCEEDED"), &json!(id)), "{record}");
        let told = rest.get(&format!("/v1/invocations/{call}/result")).await.text();
        let trace = complete(&collector, id, attempts).await;
        trace.print(&format!("one asynchronous call of {name:?}, {:?} shape", Shape::wanted()));
        assert_eq!(trace.all("invocation.run").len(), attempts, "{trace:#?}");
        check(&trace, attempts, 1, &told);
    }
}

#[tokio::test]
async fn a_synchronous_call_is_one_trace_too() {
    let collector = Collector::start().await;
    let server = traced(&collector).start().await;
    let rest = server.rest().await;
    rest.apply(&shell("waited-for", "printf %s \"$TRACEPARENT\"")).await;
    let id = "9bf92f3577b34da6a3ce929d0e0e4739";
    let call = rest.request("POST", "/v1/functions/waited-for:invoke?wait=30s");
    let told = call.header("traceparent", &format!("00-{id}-{CLIENT}-01")).send().await;
    assert_eq!(told.status, 200, "{told:?}");
    let way = [HTTP, "invocation.invoke", "invocation.attempt", "invocation.run"];
    let trace =
        until("the trace", SOON, async || Some(collector.trace(id)).filter(|trace| trace.has(&way))).await;
    trace.print(&format!("one synchronous call, {:?} shape", Shape::wanted()));
    let run = trace.one("invocation.run");
    let names: Vec<_> = trace.path(run).iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, way);
    assert_eq!(trace.roots().collect::<Vec<_>>(), [trace.one(HTTP)], "all in one tree");
    assert_eq!(told.text(), format!("00-{id}-{}-01", run.id));
}

#[tokio::test]
async fn the_trace_of_a_call_goes_on_after_its_server_was_killed() {
    let collector = Collector::start().await;
    let mut server = traced(&collector).set("dispatcher.lease=3s").start().await;
    let rest = server.rest().await;
    let script = "[ \"$EVENTFLOW_ATTEMPT\" != 1 ] || sleep 60; printf %s \"$TRACEPARENT\"";
    rest.apply(&shell("interrupted", script)).await;
    let id = "5bf92f3577b34da6a3ce929d0e0e4735";
    let call = invoke(&rest, "interrupted", id).await;
    until("the run, and the spans before it", SOON, async || {
        let running = rest.record(&call).await["state"] == "RUNNING";
        (running && collector.trace(id).has(&[HTTP, "invocation.accept", "invocation.publish"])).then_some(())
    })
    .await;
    server.kill().await;
    server.restart().await;
    let rest = server.rest().await;
    let record = rest.ended(&call).await;
    assert_eq!(
        (&record["state"], record["attempts"].as_array().map(Vec::len)),
        (&json!("SUCCEEDED"), Some(2))
    );
    let told = rest.get(&format!("/v1/invocations/{call}/result")).await.text();
    // The span of the first attempt went with its process; what came before and after is one tree.
    let trace = until("the trace", SOON, async || {
        Some(collector.trace(id)).filter(|trace| trace.has(&["invocation.run", "invocation.settle"]))
    })
    .await;
    trace.print(&format!("one call over two lives of its server, {:?} shape", Shape::wanted()));
    check(&trace, 1, 2, &told);
}

/// A server that sends its spans there, soon.
fn traced(collector: &Collector) -> Options {
    let endpoint = format!("telemetry.otlp_endpoint={}", collector.endpoint());
    Server::options().set(&endpoint).env("OTEL_BSP_SCHEDULE_DELAY", "200")
}

/// Invokes within the client's trace; the id of the call.
async fn invoke(rest: &Rest, name: &str, trace: &str) -> String {
    let call = rest.request("POST", &format!("/v1/functions/{name}:invoke"));
    let accepted = call.header("traceparent", &format!("00-{trace}-{CLIENT}-01")).send().await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    accepted.json()["id"].as_str().expect("an id").to_owned()
}

/// Once all spans of a call with so many attempts are there; each process sends its own when it likes.
async fn complete(collector: &Collector, id: &str, attempts: usize) -> Trace {
    let parts = ["invocation.publish", "invocation.attempt", "invocation.run", "invocation.settle"];
    until("the trace", Duration::from_secs(30), async || {
        let trace = collector.trace(id);
        let whole = trace.has(&[HTTP, "invocation.accept"])
            && parts.iter().all(|name| trace.all(name).len() >= attempts);
        whole.then_some(trace)
    })
    .await
}

const HTTP: &str = "POST /v1/functions/{name}:invoke";

/// The hops of `runs` attempts in their order, the first one being number `first`, in one tree below the client's span.
fn check(trace: &Trace, runs: usize, first: usize, told: &str) {
    let (front, api, back) = match Shape::wanted() {
        Shape::Local => ("eventflow-dev", "eventflow-dev", "eventflow-dev"),
        Shape::Cluster => ("eventflow-gateway", "eventflow-api", "eventflow-dispatcher"),
    };
    let http = trace.one(HTTP);
    assert_eq!((http.parent.as_str(), http.service.as_str()), (CLIENT, front));
    assert_eq!(trace.roots().collect::<Vec<_>>(), [http], "all in one tree");
    assert_eq!(trace.one("invocation.accept").service, api);

    let found = trace.all("invocation.run");
    assert_eq!(found.len(), runs, "{trace:#?}");
    for (number, run) in (first..).zip(&found) {
        let path = trace.path(run);
        let names: Vec<_> = path.iter().map(|span| span.name.as_str()).collect();
        let way = [HTTP, "invocation.accept", "invocation.publish", "invocation.attempt", "invocation.run"];
        assert_eq!(names, way, "{trace:#?}");
        assert!(path.is_sorted_by_key(|span| span.start), "nothing begins before its cause: {path:#?}");
        let attempt = path[3];
        assert_eq!((attempt.service.as_str(), run.service.as_str()), (back, back));
        assert_eq!(attempt.attribute("attempt"), Some(number.to_string()), "{attempt:#?}");
        let settle = trace.all("invocation.settle").into_iter().find(|settle| settle.parent == attempt.id);
        assert_eq!(settle.map(|settle| settle.service.as_str()), Some(back), "{trace:#?}");
    }
    let publishes: BTreeSet<_> = found.iter().map(|run| &trace.path(run)[2].id).collect();
    assert_eq!(publishes.len(), runs, "each attempt has a publish of its own: {trace:#?}");
    let run = found.last().expect("a run");
    assert_eq!(told, format!("00-{}-{}-01", trace.id, run.id), "the function's parent is its run");
}

fn twice() -> serde_json::Value {
    json!({"maxAttempts": 2, "backoff": {"initial": "100ms", "max": "100ms", "jitter": 0}})
}
