//! The spans of one trace, read from the JSON of OTLP.

use serde_json::Value;
use std::fmt::Write as _;
use std::io::Write as _;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Span {
    pub(super) id: String,
    /// Empty = none.
    pub(super) parent: String,
    pub(super) name: String,
    /// The `service.name` of the process that made it.
    pub(super) service: String,
    /// Nanoseconds since the Unix epoch.
    pub(super) start: u64,
    end: u64,
    attributes: Value,
}

impl Span {
    fn read(span: &Value, service: &str) -> Self {
        let text = |key: &str| span[key].as_str().unwrap_or_default().to_owned();
        let time = |key: &str| span[key].as_str().and_then(|text| text.parse().ok()).expect("a time");
        Self {
            id: text("spanId"),
            parent: text("parentSpanId"),
            name: text("name"),
            service: service.to_owned(),
            start: time("startTimeUnixNano"),
            end: time("endTimeUnixNano"),
            attributes: span["attributes"].clone(),
        }
    }

    pub(super) fn attribute(&self, key: &str) -> Option<String> {
        attribute(&self.attributes, key)
    }
}

/// The value of an attribute, as text.
fn attribute(of: &Value, key: &str) -> Option<String> {
    let found = of.as_array()?.iter().find(|pair| pair["key"] == key)?;
    let value = found["value"].as_object()?.values().next()?;
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

#[derive(Debug)]
pub(super) struct Trace {
    pub(super) id: String,
    /// In the order of their starts.
    spans: Vec<Span>,
}

impl Trace {
    /// Those of this trace, from the batches of all services.
    pub(super) fn read(id: &str, batches: impl Iterator<Item = Value>) -> Self {
        let each = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
        let mut spans = Vec::new();
        for resource in batches.flat_map(|batch| each(&batch, "resourceSpans")) {
            let service = attribute(&resource["resource"]["attributes"], "service.name").unwrap_or_default();
            for scope in each(&resource, "scopeSpans") {
                let of_this = each(&scope, "spans").into_iter().filter(|span| span["traceId"] == id);
                spans.extend(of_this.map(|span| Span::read(&span, &service)));
            }
        }
        spans.sort_by_key(|span| span.start);
        Self { id: id.to_owned(), spans }
    }

    /// Whether spans of all these names are there.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.spans.iter().any(|span| span.name == *name))
    }

    pub(super) fn all(&self, name: &str) -> Vec<&Span> {
        self.spans.iter().filter(|span| span.name == name).collect()
    }

    /// The only one of this name.
    pub(super) fn one(&self, name: &str) -> &Span {
        let all = self.all(name);
        assert_eq!(all.len(), 1, "{name}: {self:#?}");
        all[0]
    }

    fn parent(&self, of: &Span) -> Option<&Span> {
        self.spans.iter().find(|span| span.id == of.parent)
    }

    /// Those whose parent is in no process of ours.
    pub(super) fn roots(&self) -> impl Iterator<Item = &Span> {
        self.spans.iter().filter(|span| self.parent(span).is_none())
    }

    /// From the root to this one.
    pub(super) fn path<'a>(&'a self, to: &'a Span) -> Vec<&'a Span> {
        let mut path: Vec<_> = std::iter::successors(Some(to), |span| self.parent(span)).take(20).collect();
        path.reverse();
        path
    }

    /// Writes it past the capture of `print!`, so that it is in the log of the tests: a line per span, what came of
    /// it indented below.
    pub(super) fn print(&self, what: &str) {
        let mut text = format!("TRACE {}: {what}\n", self.id);
        let begin = self.spans.first().map_or(0, |span| span.start);
        for root in self.roots() {
            self.lines(root, 1, begin, &mut text);
        }
        std::io::stderr().write_all(text.as_bytes()).unwrap();
    }

    fn lines(&self, span: &Span, depth: usize, begin: u64, text: &mut String) {
        let milliseconds = |from: u64, to: u64| to.saturating_sub(from) as f64 / 1e6;
        let number = |key| span.attribute(key).map(|number| format!(" ({key} {number})"));
        let number = number("attempt").or_else(|| number("publish")).unwrap_or_default();
        let name = format!("{:indent$}{}{number}", "", span.name, indent = 2 * depth);
        let (at, took) = (milliseconds(begin, span.start), milliseconds(span.start, span.end));
        writeln!(text, "{name:<52}{:<22}{at:>9.2} ms +{took:>9.2} ms", span.service).expect("text");
        for child in self.spans.iter().filter(|child| child.parent == span.id) {
            self.lines(child, depth + 1, begin, text);
        }
    }
}
