//! What is known of a function's copies one by one, and what the cluster told of its objects.

use super::super::{age, word};
use crate::output::{harmless, table};
use eventflow_proto::v1;

/// Events that are shown; `-o yaml` has all.
const MOST_EVENTS: usize = 10;

/// Empty where nothing is known.
pub(super) fn tables(function: &v1::Function) -> String {
    let mut text = String::new();
    for table in [copies(function), events(function)].into_iter().flatten() {
        text.push('\n');
        text.push_str(&table);
    }
    text
}

fn copies(function: &v1::Function) -> Option<String> {
    let rows: Vec<_> = function
        .copies
        .iter()
        .map(|copy| {
            vec![
                copy.name.clone(),
                word(copy.state().as_str_name(), "WARM_COPY_STATE_"),
                copy.restarts.to_string(),
                copy.start_time.as_ref().map(|time| age(Some(time))).unwrap_or_default(),
                copy.last_exit.as_ref().map(last_exit).unwrap_or_default(),
            ]
        })
        .collect();
    (!rows.is_empty()).then(|| table(&["COPY", "STATE", "RESTARTS", "AGE", "LAST EXIT"], rows))
}

fn last_exit(exit: &v1::WarmCopyExit) -> String {
    format!("{}: {}", exit.reason, in_one_line(&exit.message))
}

fn events(function: &v1::Function) -> Option<String> {
    let rows: Vec<_> = function
        .events
        .iter()
        .take(MOST_EVENTS)
        .map(|event| {
            let times = if event.count > 1 { format!(" (x{})", event.count) } else { String::new() };
            vec![
                age(event.time.as_ref()),
                event.r#type.clone(),
                event.reason.clone(),
                event.object.clone(),
                format!("{}{times}", in_one_line(&event.message)),
            ]
        })
        .collect();
    (!rows.is_empty()).then(|| table(&["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"], rows))
}

/// A copy's last lines are user code's words.
fn in_one_line(text: &str) -> String {
    harmless(&text.lines().collect::<Vec<_>>().join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_crashed_and_an_event_are_a_line_each() {
        let exit = v1::WarmCopyExit {
            reason: "ExitCode".to_owned(),
            message: "exit code 42\nlast words\nof it".to_owned(),
            exit_code: Some(42),
            time: None,
        };
        let copy = v1::WarmCopy {
            name: "fn-f-1".to_owned(),
            state: v1::WarmCopyState::Failed.into(),
            restarts: 3,
            start_time: None,
            last_exit: Some(exit),
        };
        let event = v1::FunctionEvent {
            r#type: "Warning".to_owned(),
            reason: "BackOff".to_owned(),
            message: "back-off".to_owned(),
            object: "Pod/fn-f-1".to_owned(),
            count: 5,
            time: None,
        };
        let many = vec![event; MOST_EVENTS + 1];
        let text = tables(&v1::Function { copies: vec![copy], events: many, ..v1::Function::default() });
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<_> = text.lines().map(words).collect();
        assert_eq!(lines[2], "fn-f-1 FAILED 3 ExitCode: exit code 42 | last words | of it");
        assert!(lines[5].ends_with("Warning BackOff Pod/fn-f-1 back-off (x5)"), "{}", lines[5]);
        assert_eq!(lines.len(), 5 + MOST_EVENTS);
        assert_eq!(tables(&v1::Function::default()), "");
    }
}
