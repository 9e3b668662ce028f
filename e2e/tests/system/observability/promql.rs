//! What an expression of PromQL names. A tokenizer, no parser: whether the expression is one at all is checked by
//! Prometheus' own, `e2e/rule-check`.
//!
//! It does not see: labels within strings (`label_replace`, `label_join`, `count_values`), and whether a value that
//! is compared with (`status="429"`) can ever be. A selector without a name, or by `__name__`, is an error.

use std::collections::{BTreeMap, BTreeSet};

const AGGREGATES: [&str; 12] = [
    "sum",
    "avg",
    "min",
    "max",
    "count",
    "stddev",
    "stdvar",
    "group",
    "topk",
    "bottomk",
    "quantile",
    "count_values",
];
const WORDS: [&str; 10] = ["and", "or", "unless", "bool", "offset", "atan2", "inf", "nan", "start", "end"];
const LISTS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

#[derive(Debug, Default, PartialEq)]
pub(super) struct Named {
    /// The metrics, each with the labels that it is selected by.
    pub(super) metrics: BTreeMap<String, BTreeSet<String>>,
    /// The labels of `by`, `on` and their like.
    pub(super) grouped: BTreeSet<String>,
    /// Those of `by` alone: what is left to show. Empty where nothing is grouped.
    pub(super) kept: BTreeSet<String>,
}

pub(super) fn named(expression: &str) -> Result<Named, String> {
    let mut found = Named::default();
    let mut rest = expression.trim_start();
    let mut metric: Option<String> = None;
    while let Some(first) = rest.chars().next() {
        let before = metric.take();
        match first {
            '"' | '\'' | '`' => rest = after_string(rest)?,
            '{' => {
                let name = before.ok_or("a selector without a name")?;
                let (labels, after) = selector(&rest[1..])?;
                if labels.contains("__name__") {
                    return Err("a selector by __name__".to_owned());
                }
                found.metrics.entry(name).or_default().extend(labels);
                rest = after;
            }
            '[' => rest = rest.split_once(']').ok_or("an open [")?.1,
            '#' => rest = rest.split_once('\n').map_or("", |(_, after)| after),
            '$' => return Err("a variable outside a string".to_owned()),
            _ if first.is_ascii_digit() => {
                rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.');
            }
            _ if is_word(first) => {
                let (word, after) = rest.split_at(rest.find(|c| !is_word(c)).unwrap_or(rest.len()));
                rest = after.trim_start();
                let lower = word.to_ascii_lowercase();
                if LISTS.contains(&lower.as_str()) {
                    rest = list(&lower, rest, &mut found);
                } else if !rest.starts_with('(')
                    && !WORDS.contains(&lower.as_str())
                    && !AGGREGATES.contains(&lower.as_str())
                {
                    found.metrics.entry(word.to_owned()).or_default();
                    metric = Some(word.to_owned());
                }
            }
            _ => rest = &rest[first.len_utf8()..],
        }
        rest = rest.trim_start();
    }
    Ok(found)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// What comes behind the string that this begins with.
fn after_string(text: &str) -> Result<&str, String> {
    let quote = text.chars().next().unwrap_or_default();
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' && quote != '`' {
            escaped = true;
        } else if c == quote {
            return Ok(&text[at + 1..]);
        }
    }
    Err("an open string".to_owned())
}

/// The labels up to the closing brace, and what comes behind it.
fn selector(text: &str) -> Result<(BTreeSet<String>, &str), String> {
    let (mut labels, mut rest) = (BTreeSet::new(), text.trim_start());
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return Ok((labels, after));
        }
        let end = rest.find(['=', '!']).ok_or("an open {")?;
        labels.insert(rest[..end].trim().to_owned());
        let value = rest[end..].find(['"', '\'', '`']).ok_or("a label without a value")?;
        rest = after_string(&rest[end + value..])?.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
}

/// Reads the labels in parentheses, where they are; what comes behind them.
fn list<'a>(word: &str, text: &'a str, found: &mut Named) -> &'a str {
    let Some((inside, after)) = text.strip_prefix('(').and_then(|inside| inside.split_once(')')) else {
        return text;
    };
    let labels: BTreeSet<_> =
        inside.split(',').map(|label| label.trim().to_owned()).filter(|label| !label.is_empty()).collect();
    if word == "by" {
        found.kept.extend(labels.clone());
    }
    found.grouped.extend(labels);
    after
}

#[test]
fn metrics_and_labels_are_told_from_everything_else() {
    let all = named(
        "histogram_quantile(0.99, sum by (le, a) (rate(x_bucket{b=~\"y{z}\", c!='\\'d'}[5m]))) > bool 1e3 \
         unless on (f) max without (g) (y offset 1h) # z\n or time() - w{} * 5m",
    );
    let words = |of: &[&str]| of.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<_>>();
    let metrics = [("x_bucket", words(&["b", "c"])), ("y", words(&[])), ("w", words(&[]))];
    let expected = Named {
        metrics: metrics.into_iter().map(|(name, labels)| (name.to_owned(), labels)).collect(),
        grouped: words(&["le", "a", "f", "g"]),
        kept: words(&["le", "a"]),
    };
    assert_eq!(all, Ok(expected));
    for bad in ["{a=\"b\"}", "x{__name__=\"y\"}", "x{a=\"b}", "$metric", "x[5m"] {
        assert!(named(bad).is_err(), "{bad}");
    }
}
