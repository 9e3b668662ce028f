//! Files stay short enough to be read in one go. Functions are clippy's (`too_many_lines`).

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::{Problem, relative};
use crate::workspace;

/// Lines of a file that are not tests.
const MOST: usize = 500;
const GENERATED: &str = "crates/proto/src/generated/";

pub(super) fn check(root: &Path) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for path in workspace::files(root, &["rs"])? {
        let place = relative(root, &path);
        if place.starts_with(GENERATED) || is_test(&place) {
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| format!("failed to read {place}"))?;
        let lines = production_lines(&text);
        if lines > MOST {
            problems
                .push(Problem::new(place, format!("has {lines} lines without its tests, more than {MOST}")));
        }
    }
    Ok(problems)
}

/// A file of tests only, by its name or its folder.
fn is_test(place: &str) -> bool {
    place.ends_with("/tests.rs") || place.contains("/tests/")
}

/// The lines outside `#[cfg(test)] mod … { … }` blocks at the margin.
fn production_lines(text: &str) -> usize {
    let mut count = 0;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let test_module = line == "#[cfg(test)]"
            && lines.peek().is_some_and(|next| next.starts_with("mod ") && next.trim_end().ends_with('{'));
        if test_module {
            // rustfmt puts the closing brace of a module at the margin, and no other one.
            lines.by_ref().find(|line| *line == "}");
        } else {
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_of_tests_do_not_count() {
        let text = "fn a() {\n}\n\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n}\nfn c() {}\n";
        assert_eq!(production_lines(text), 4);
    }

    #[test]
    fn other_things_for_tests_do_count() {
        assert_eq!(production_lines("#[cfg(test)]\nmod tests;\n#[cfg(test)]\nfn helper() {\n}\n"), 5);
    }

    #[test]
    fn files_of_tests_are_known_by_their_place() {
        assert!(is_test("crates/bus/tests/it/main.rs") && is_test("crates/bus/src/relay/tests.rs"));
        assert!(!is_test("crates/testkit/src/contests.rs"));
    }
}
