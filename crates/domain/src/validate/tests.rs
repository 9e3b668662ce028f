use super::*;

fn process() -> Draft {
    Draft { runtime: Some(RuntimeKind::Process), command: vec!["cat".to_owned()], ..Draft::default() }
}

/// The fields that `draft` breaks.
fn broken(draft: &Draft) -> Vec<String> {
    draft.validate().map_or_else(|v| v.into_iter().map(|v| v.field).collect(), |_| Vec::new())
}

#[test]
fn the_smallest_manifests_are_fine() {
    let spec = process().validate().expect("valid");
    assert_eq!((spec.mode, spec.scale, spec.timeout.as_secs()), (Mode::Job, Scale::Fixed(0), 30));
    let nginx = Draft { image: "nginx:alpine".to_owned(), replicas: Some(1), ..Draft::default() };
    let spec = nginx.validate().expect("valid");
    assert_eq!((spec.runtime, spec.scale), (RuntimeKind::Container, Scale::Fixed(1)));
    let http = Draft { port: Some(8080), ..process() };
    let spec = http.validate().expect("valid");
    assert_eq!((spec.mode, spec.scale), (Mode::Http, Scale::Fixed(1)));
}

#[test]
fn every_broken_rule_is_named_at_once() {
    let draft = Draft {
        timeout: "5x".to_owned(),
        port: Some(0),
        replicas: Some(1),
        scaling: Some(DraftScaling { min: Some(9), max: Some(2), ..DraftScaling::default() }),
        env: [("A=B".to_owned(), "1".to_owned()), ("EVENTFLOW_X".to_owned(), "1".to_owned())].into(),
        egress: vec!["nohost".to_owned()],
        ..process()
    };
    assert_eq!(
        broken(&draft),
        ["env.A=B", "env.EVENTFLOW_X", "port", "replicas", "scaling.min", "timeout", "egress[0]"]
    );
}

#[test]
fn bounds_are_told() {
    for timeout in ["0s", "25h", "-1", "5x", "99999999999999999999s"] {
        let violations = Draft { timeout: timeout.to_owned(), ..process() }.validate().expect_err(timeout);
        assert!(violations[0].description.contains("allowed: 1s to 24h"), "{violations:?}");
    }
    let retry = |max_attempts| DraftRetry { max_attempts, ..DraftRetry::default() };
    for attempts in [0, -1, 1_000_000_000] {
        assert_eq!(broken(&Draft { retry: Some(retry(attempts)), ..process() }), ["retry.maxAttempts"]);
    }
}

#[test]
fn a_backoff_longer_than_the_queue_keeps_work_names_both_fields() {
    let retry = DraftRetry { max_attempts: 2, max: "2h".to_owned(), ..DraftRetry::default() };
    let draft = Draft { retry: Some(retry), queue_max_age: "1h".to_owned(), ..process() };
    assert_eq!(broken(&draft), ["retry.backoff.max", "queue.maxAge"]);
}

#[test]
fn images_are_checked_by_runtime() {
    let with = |runtime, image: &str| Draft { runtime: Some(runtime), image: image.to_owned(), ..process() };
    assert_eq!(broken(&with(RuntimeKind::Process, "nginx")), ["image"]);
    assert_eq!(broken(&with(RuntimeKind::Wasm, "")), ["image"]);
    let digest = format!("artifact@sha256:{}", "ab".repeat(32));
    assert!(broken(&with(RuntimeKind::Wasm, &digest)).is_empty());
    for bad in ["a b", "a;b", "a@sha256:12", "/a", "a//b", "A", "-a", "artifact@sha256:xyz"] {
        assert_eq!(broken(&with(RuntimeKind::Container, bad)), ["image"], "{bad}");
    }
    for good in ["nginx", "nginx:alpine", "registry.example:5000/media/resize:1.4", "localhost/a"] {
        assert!(broken(&with(RuntimeKind::Container, good)).is_empty(), "{good}");
    }
}

#[test]
fn env_from_names_exactly_one_source() {
    let both = DraftEnvFrom { secret: Some("a".to_owned()), config: Some("b".to_owned()) };
    let draft = Draft { env_from: vec![both, DraftEnvFrom::default()], ..process() };
    assert_eq!(broken(&draft), ["envFrom[0]", "envFrom[1]"]);
}
