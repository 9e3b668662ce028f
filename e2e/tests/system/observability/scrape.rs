//! What a running EventFlow serves at `/metrics`, all its processes together.

use super::promql::Named;
use eventflow_e2e::shape::Shape;
use eventflow_e2e::{Rest, Server};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// What Prometheus adds to what it scrapes.
const ADDED: [&str; 2] = ["job", "instance"];
/// What Prometheus makes itself.
const MADE: [&str; 1] = ["up"];

/// The labels by the names of the metrics, and the lines themselves.
#[derive(Debug, Default)]
pub(super) struct Series {
    labels: BTreeMap<String, BTreeSet<String>>,
    lines: Vec<String>,
}

impl Series {
    /// Of the process that is asked, and in a cluster of a dispatcher and an api too.
    pub(super) async fn of(server: &Server) -> Self {
        let mut text = server.anonymous().get("/metrics").await.text();
        if Shape::wanted() == Shape::Cluster {
            text.push_str(&dispatcher(server.pid()).await);
            text.push_str(&server.api(0).get("/metrics").await.text());
        }
        Self::parse(&text)
    }

    pub(super) fn parse(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let (name, rest) = line.split_at(line.find(['{', ' ']).expect("a sample"));
            let labels = found.labels.entry(name.to_owned()).or_default();
            // A value may hold `, ` and `=`, but not `="`: quotes in it are escaped.
            let pairs = rest.rsplit_once('}').map_or("", |(pairs, _)| pairs.trim_start_matches('{'));
            let keys = pairs.split("=\"").filter_map(|part| part.rsplit(['"', ',', '{']).next());
            labels.extend(keys.filter(|key| !key.is_empty()).map(str::to_owned));
            found.lines.push(line.to_owned());
        }
        found
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.labels.keys().map(String::as_str)
    }

    /// The value of one series, written as it is served.
    pub(super) fn value(&self, name: &str, labels: &str) -> Option<f64> {
        let start = format!("{name}{labels} ");
        self.lines.iter().find_map(|line| line.strip_prefix(&start)?.parse().ok())
    }

    /// What an expression names and nobody serves.
    pub(super) fn problems(&self, named: &Named) -> Vec<String> {
        let mut problems = Vec::new();
        let mut known: BTreeSet<&str> = ADDED.into();
        for (name, matched) in &named.metrics {
            let Some(labels) = self.labels.get(name) else {
                if !MADE.contains(&name.as_str()) {
                    problems.push(format!("no metric {name}"));
                }
                continue;
            };
            known.extend(labels.iter().map(String::as_str));
            let there = |label: &&String| labels.contains(*label) || ADDED.contains(&label.as_str());
            problems.extend(
                matched
                    .iter()
                    .filter(|label| !there(label))
                    .map(|label| format!("no label {label} of {name}")),
            );
        }
        let grouped = named.grouped.iter().filter(|label| !known.contains(label.as_str()));
        problems.extend(grouped.map(|label| format!("no label {label} of any metric of the expression")));
        problems
    }
}

/// The metrics of the dispatcher. It says nowhere on which free port it serves them, so that all are asked on which
/// this process listens.
async fn dispatcher(pid: u32) -> String {
    let sockets: BTreeSet<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap();
    for line in table.lines().skip(1) {
        let fields: Vec<_> = line.split_ascii_whitespace().collect();
        // Local address, state (0A = listening), inode; see proc(5).
        let (address, state, inode) = (fields[1], fields[3], fields[9]);
        if state != "0A" || !sockets.contains(inode) {
            continue;
        }
        let port = u16::from_str_radix(address.rsplit(':').next().unwrap(), 16).unwrap();
        let answer =
            Rest::new(&format!("http://127.0.0.1:{port}")).request("GET", "/metrics").try_send().await;
        // gRPC says 200 to everything.
        let text = answer.map(|answer| answer.text()).unwrap_or_default();
        if text.contains("process_start_time_seconds") {
            return text;
        }
    }
    panic!("the dispatcher {pid} serves no metrics")
}

#[test]
fn what_is_not_served_is_found() {
    let series = Series::parse("a_total{x=\"1, {y=\\\"2\\\"}\",z=\"\"} 3\nb 4\n");
    let problems = |expression| series.problems(&super::promql::named(expression).unwrap());
    assert_eq!(
        problems("sum by (z, job) (a_total{x=~\"1\", instance=\"i\"}) / b > up"),
        Vec::<String>::new()
    );
    assert_eq!(problems("rate(c_total[5m])"), ["no metric c_total"]);
    assert_eq!(problems("a_total{w=\"1\"}"), ["no label w of a_total"]);
    assert_eq!(problems("b{x=\"1\"} * on (x) a_total"), ["no label x of b"]);
    assert_eq!(problems("sum by (z) (b)"), ["no label z of any metric of the expression"]);
    assert_eq!(series.value("b", ""), Some(4.0));
}
