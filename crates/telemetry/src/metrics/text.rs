//! The older text format of Prometheus, made from OpenMetrics text.
//!
//! Ours has counters, gauges and histograms only, so the formats differ in five things: the name of a counter in its
//! `# HELP` and `# TYPE`, `# UNIT`, `unknown`, exemplars, and the end mark.

use super::exemplar::MARK;

/// As `text/plain; version=0.0.4`.
pub(super) fn from_openmetrics(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 256);
    let mut help = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            // Held back: whether it is a counter's is said by the next line.
            help = Some(rest);
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let total = if kind == "counter" { "_total" } else { "" };
            let kind = if kind == "unknown" { "untyped" } else { kind };
            if let Some((_, text)) = help.take().and_then(|help| help.split_once(' ')) {
                out.extend(["# HELP ", name, total, " ", text, "\n"]);
            }
            out.extend(["# TYPE ", name, total, " ", kind, "\n"]);
        } else if !line.starts_with('#') {
            let sample = line.split_once(MARK).map_or(line, |(sample, _)| sample);
            out.extend([sample, "\n"]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_named_as_their_samples_and_the_rest_stays() {
        let open = "# HELP a_requests Requests.\n# TYPE a_requests counter\na_requests_total{b=\"# x\"} 3\n\
            # HELP c_seconds Time.\n# TYPE c_seconds histogram\n# UNIT c_seconds seconds\nc_seconds_sum 0.5\n\
            c_seconds_bucket{le=\"1\",f=\" # {trace_id=\\\"\"} 2 # {trace_id=\"0af7\"} 0.5\n# TYPE d unknown\nd 1\n# EOF\n";
        let expected = "# HELP a_requests_total Requests.\n# TYPE a_requests_total counter\n\
            a_requests_total{b=\"# x\"} 3\n# HELP c_seconds Time.\n# TYPE c_seconds histogram\nc_seconds_sum 0.5\n\
            c_seconds_bucket{le=\"1\",f=\" # {trace_id=\\\"\"} 2\n# TYPE d untyped\nd 1\n";
        assert_eq!(from_openmetrics(open), expected);
    }
}
