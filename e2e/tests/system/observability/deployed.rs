//! The files of `deploy/` that watch an installation: Grafana's dashboard, Prometheus' rules, the collector's pipeline.

use eventflow_testkit::servers::program;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

pub(super) fn file(name: &str) -> PathBuf {
    eventflow_e2e::root().join(name)
}

pub(super) fn yaml(name: &str) -> Value {
    let text = fs::read_to_string(file(name)).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn dashboard() -> Value {
    serde_json::from_slice(&fs::read(file("deploy/grafana/eventflow.json")).unwrap()).unwrap()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no text {key:?} in {value}"))
}

fn alerts() -> Vec<Value> {
    let file = yaml("deploy/prometheus/alerts.yaml");
    list(&file, "groups").iter().flat_map(|group| list(group, "rules").to_vec()).collect()
}

/// Grafana's own variables that stand outside strings.
fn filled_in(expression: &str) -> String {
    expression.replace("$__rate_interval", "5m").replace("$__range", "1h")
}

/// Every expression, with the place where it stands.
pub(super) fn expressions() -> Vec<(String, String)> {
    let of_alerts =
        alerts().into_iter().map(|alert| (text(&alert, "alert").to_owned(), text(&alert, "expr").to_owned()));
    let dashboard = dashboard();
    let of_panels = list(&dashboard, "panels").iter().flat_map(|panel| {
        let place = format!("panel {:?}", text(panel, "title"));
        list(panel, "targets").iter().map(move |target| (place.clone(), filled_in(text(target, "expr"))))
    });
    let of_variables = list(&dashboard["templating"], "list").iter().filter_map(|variable| {
        let query = variable["query"]["query"].as_str()?;
        // label_values(SELECTOR, LABEL) is no PromQL, but names the same.
        let inside = query.strip_prefix("label_values(")?.strip_suffix(')')?;
        let (selector, label) = inside.rsplit_once(',')?;
        Some((
            format!("variable {}", text(variable, "name")),
            format!("count by ({}) ({selector})", label.trim()),
        ))
    });
    of_alerts.chain(of_panels).chain(of_variables).collect()
}

/// What people see of an expression: its place, itself, and the labels that are filled into the text beside it.
pub(super) fn shown() -> Vec<(String, String, Vec<String>)> {
    let of_alerts = alerts().into_iter().map(|alert| {
        let summary = text(&alert["annotations"], "summary").to_owned();
        let labels = summary.split("$labels.").skip(1).map(|rest| word(rest).to_owned()).collect();
        (text(&alert, "alert").to_owned(), text(&alert, "expr").to_owned(), labels)
    });
    let dashboard = dashboard();
    let of_panels = list(&dashboard, "panels").iter().flat_map(|panel| {
        list(panel, "targets").iter().map(|target| {
            let labels =
                text(target, "legendFormat").split("{{").skip(1).map(|rest| word(rest).to_owned()).collect();
            (format!("panel {:?}", text(panel, "title")), filled_in(text(target, "expr")), labels)
        })
    });
    of_alerts.chain(of_panels).collect()
}

fn word(text: &str) -> &str {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next().unwrap_or_default()
}

fn rule_check(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(program("rule-check", &[]));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may end without reading to the end.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    child.wait_with_output().unwrap()
}

#[test]
fn prometheus_accepts_the_rules_and_the_queries_of_the_dashboard() {
    let rules = file("deploy/prometheus/alerts.yaml");
    let checked = rule_check(&[rules.to_str().unwrap()], "");
    assert!(checked.status.success(), "{checked:?}");
    let lines: Vec<_> =
        expressions().into_iter().map(|(_, expression)| expression.replace('\n', " ")).collect();
    let checked = rule_check(&["-queries"], &lines.join("\n"));
    assert!(checked.status.success(), "{checked:?}");
    assert_eq!(String::from_utf8_lossy(&checked.stdout), format!("ok: {} expressions\n", lines.len()));
}

#[test]
fn broken_rules_and_queries_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.yaml");
    for wrong in ["expr: sum(", "expr: up\n    fr: 5m", "expr: up\n    labels: {alertname: x}\n    for: soon"]
    {
        fs::write(&broken, format!("groups:\n- name: a\n  rules:\n  - alert: B\n    {wrong}\n")).unwrap();
        assert!(!rule_check(&[broken.to_str().unwrap()], "").status.success(), "{wrong}");
    }
    assert!(!rule_check(&["-queries"], "up\nsum(\n").status.success());
}

#[test]
fn alerts_are_explained_and_named_once() {
    let explained = fs::read_to_string(file("docs/observability.md")).unwrap();
    let mut seen = BTreeSet::new();
    for alert in alerts() {
        let name = text(&alert, "alert").to_owned();
        assert!(explained.contains(&format!("`{name}`")), "{name} is not in docs/observability.md");
        assert!(["critical", "warning", "info"].contains(&text(&alert["labels"], "severity")), "{alert}");
        assert!(!text(&alert["annotations"], "summary").is_empty() && seen.insert(name), "{alert}");
    }
    assert!(seen.len() > 10, "{seen:?}");
}

#[test]
fn the_panels_of_the_dashboard_lie_side_by_side() {
    let dashboard = dashboard();
    let (mut ids, mut taken, mut drawn) = (BTreeSet::new(), BTreeSet::new(), 0);
    for panel in list(&dashboard, "panels") {
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{panel}");
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().expect("a place"));
        assert!(w > 0 && h > 0 && x + w <= 24, "{panel}");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "{:?} lies over another", panel["title"]);
        }
        if panel["type"] != "row" {
            drawn += 1;
            assert!(!list(panel, "targets").is_empty(), "{panel}");
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
        }
    }
    assert!(drawn > 20, "{drawn}");
}

#[test]
fn the_collector_accepts_its_pipeline() {
    let validate = |config: &str| {
        let config = format!("--config={config}");
        Command::new(program("otel-collector", &[])).args(["validate", &config]).output().unwrap()
    };
    let checked = validate(file("deploy/otel/collector.yaml").to_str().unwrap());
    assert!(checked.status.success(), "{checked:?}");
    assert!(!validate("yaml:receivers::otlp:\n").status.success());
}
