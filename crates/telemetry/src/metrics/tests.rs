use super::*;
use eventflow_domain::State;
use eventflow_domain::trace::TraceContext;

fn key(name: &str) -> FunctionKey {
    FunctionKey::new("default".parse().expect("a name"), name.parse().expect("a name"))
}

/// The value of the one sample that is written like this.
fn sample(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

#[tokio::test]
async fn every_fixed_name_is_exposed_exactly() {
    let metrics = Metrics::new();
    let hello = metrics.function(&key("hello"));
    hello.ended(State::Succeeded);
    hello.ended(State::Queued);
    hello.ran(Duration::from_millis(3), TraceContext::generate());
    hello.set_queue(7, Duration::from_millis(1500));
    metrics.http_request("POST", "/v1/functions/{name}:invoke", 202);
    metrics.set_active_functions(4);
    metrics.set_outbox_lag(Duration::from_millis(250));
    metrics.set_slots(64, 3);
    let text = metrics.encode();
    let of = r#"namespace="default",function="hello""#;
    for (series, value) in [
        (format!("eventflow_function_invocations_total{{{of},state=\"SUCCEEDED\"}}"), 1.0),
        (format!("eventflow_function_invocations_total{{{of},state=\"FAILED\"}}"), 0.0),
        (format!("eventflow_function_duration_seconds_count{{{of}}}"), 1.0),
        (format!("eventflow_function_queue_depth{{{of}}}"), 7.0),
        (format!("eventflow_function_queue_oldest_age_seconds{{{of}}}"), 1.5),
        (format!("eventflow_function_settle_refused_total{{{of}}}"), 0.0),
        (format!("eventflow_function_lost_total{{{of}}}"), 0.0),
        (format!("eventflow_function_adopted_total{{{of}}}"), 0.0),
        (format!("eventflow_function_retries_total{{{of}}}"), 0.0),
        (format!("eventflow_function_dead_letters_total{{{of}}}"), 0.0),
        (format!("eventflow_function_logs_truncated_total{{{of}}}"), 0.0),
        ("eventflow_active_functions".into(), 4.0),
        ("eventflow_outbox_lag_seconds".into(), 0.25),
        ("eventflow_slots".into(), 64.0),
        ("eventflow_slots_in_use".into(), 3.0),
    ] {
        assert_eq!(sample(&text, &series), Some(value), "{series}\n{text}");
    }
    let http =
        r#"eventflow_http_requests_total{method="POST",route="/v1/functions/{name}:invoke",status="202"}"#;
    assert_eq!(sample(&text, http), Some(1.0), "{text}");
    assert!(
        text.ends_with("# EOF\n") && text.contains("# TYPE eventflow_function_duration_seconds histogram")
    );
}

#[test]
fn a_traced_run_is_the_example_of_its_bucket_and_one_that_is_not_traced_is_none() {
    let metrics = Metrics::new();
    let hello = metrics.function(&key("hello"));
    let traced = TraceContext::generate();
    hello.ran(Duration::from_millis(3), traced);
    hello.ran(Duration::from_millis(700), TraceContext { sampled: false, ..TraceContext::generate() });
    let text = metrics.encode();
    let examples: Vec<_> = text.lines().filter(|line| line.contains("trace_id")).collect();
    let bucket =
        r#"eventflow_function_duration_seconds_bucket{le="0.005",namespace="default",function="hello"} 1"#;
    assert_eq!(examples, [format!("{bucket} # {{trace_id=\"{}\"}} 0.003", traced.trace_id_hex())]);
    let older = metrics.encode_text();
    assert!(older.lines().any(|line| line == bucket) && !older.contains("trace_id"), "{older}");
}

#[tokio::test]
async fn the_process_and_its_runtime_are_measured() {
    let text = Metrics::new().encode();
    let at_least = |series: &str, least: f64| {
        let value = sample(&text, series);
        assert!(value.is_some_and(|value| value >= least), "{series} is {value:?}\n{text}");
    };
    at_least("process_cpu_seconds_total", 0.0);
    at_least("process_resident_memory_bytes", 1e6);
    at_least("process_open_fds", 3.0);
    at_least("process_threads", 1.0);
    at_least("process_start_time_seconds", 1.6e9);
    at_least("tokio_workers", 1.0);
    at_least("tokio_alive_tasks", 0.0);
}

#[test]
fn a_bus_is_shown_once_it_tells() {
    let metrics = Metrics::new();
    assert!(!metrics.encode().contains("eventflow_bus"));
    metrics.show_bus(|| BusCounts { repairs: 2, ..BusCounts::default() });
    let text = metrics.encode();
    assert_eq!(sample(&text, "eventflow_bus_repairs_total"), Some(2.0), "{text}");
    assert_eq!(sample(&text, "eventflow_bus_poison_total"), Some(0.0), "{text}");
}

#[test]
fn a_run_is_in_flight_until_its_guard_is_dropped() {
    let metrics = Metrics::new();
    let series = r#"eventflow_function_in_flight{namespace="default",function="hello"}"#;
    let guard = metrics.function(&key("hello")).run();
    assert_eq!(sample(&metrics.encode(), series), Some(1.0));
    drop(guard);
    assert_eq!(sample(&metrics.encode(), series), Some(0.0));
}

#[test]
fn a_deleted_function_leaves_no_series() {
    let metrics = Metrics::new();
    let held = metrics.function(&key("hello"));
    held.ended(State::Failed);
    metrics.forget_function(&key("hello"));
    held.lost();
    assert!(!metrics.encode().contains("hello"));
    metrics.function(&key("hello")).lost();
    let series = r#"eventflow_function_lost_total{namespace="default",function="hello"}"#;
    assert_eq!(sample(&metrics.encode(), series), Some(1.0), "made anew");
}

#[test]
fn functions_beyond_the_cap_share_other() {
    let metrics = Metrics::new();
    for i in 0..Metrics::MAX_FUNCTIONS {
        metrics.function(&key(&format!("f{i}")));
    }
    metrics.function(&key("late-a")).lost();
    metrics.function(&key("late-b")).lost();
    let text = metrics.encode();
    assert_eq!(
        sample(&text, r#"eventflow_function_lost_total{namespace="other",function="other"}"#),
        Some(2.0)
    );
    assert!(!text.contains("late-"));
    metrics.forget_function(&key("f0"));
    metrics.function(&key("late-a")).lost();
    let series = r#"eventflow_function_lost_total{namespace="default",function="late-a"}"#;
    assert_eq!(sample(&metrics.encode(), series), Some(1.0), "a place became free");
}

#[test]
fn a_room_can_add_metrics_of_its_own() {
    let own = Gauge::<i64>::default();
    let metrics = Metrics::with(|registry| registry.register("wasm_instances", "Instances", own.clone()));
    own.set(5);
    assert_eq!(sample(&metrics.encode(), "wasm_instances"), Some(5.0));
}
