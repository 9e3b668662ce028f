//! Versions, lints and editions are said once, in the workspace.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use toml::{Table, Value};

use super::{Problem, relative};
use crate::workspace;

const INHERITED: [&str; 4] = ["version", "edition", "rust-version", "license"];
const DEPENDENCIES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

pub(super) fn check(root: &Path) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for path in workspace::files(root, &["toml"])? {
        let place = relative(root, &path);
        if path.file_name().is_none_or(|name| name != "Cargo.toml") {
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| format!("failed to read {place}"))?;
        let manifest: Table = text.parse().with_context(|| format!("failed to parse {place}"))?;
        // The root of a workspace says what the others inherit: this one's, and those of the guests.
        if manifest.contains_key("workspace") {
            continue;
        }
        problems.extend(member(&manifest).into_iter().map(|what| Problem::new(&place, what)));
    }
    Ok(problems)
}

/// What a member's manifest says although the workspace should.
fn member(manifest: &Table) -> Vec<String> {
    let mut problems = Vec::new();
    if !manifest.get("lints").is_some_and(inherits) {
        problems.push("does not say `[lints] workspace = true`".to_owned());
    }
    let package = manifest.get("package").and_then(Value::as_table);
    for key in INHERITED {
        if !package.and_then(|package| package.get(key)).is_some_and(inherits) {
            problems.push(format!("package.{key} is not `workspace = true`"));
        }
    }
    problems.extend(literal_dependencies("", manifest));
    for (target, table) in manifest.get("target").and_then(Value::as_table).into_iter().flatten() {
        let table = table.as_table().cloned().unwrap_or_default();
        problems.extend(literal_dependencies(&format!("target.{target}."), &table));
    }
    problems
}

fn literal_dependencies(prefix: &str, table: &Table) -> Vec<String> {
    let mut problems = Vec::new();
    for section in DEPENDENCIES {
        for (name, value) in table.get(section).and_then(Value::as_table).into_iter().flatten() {
            if !inherits(value) {
                problems.push(format!("{prefix}{section}.{name} is not `workspace = true`"));
            }
        }
    }
    problems
}

/// `{ workspace = true }`, with nothing that contradicts it.
fn inherits(value: &Value) -> bool {
    value.as_table().is_some_and(|table| {
        table.get("workspace").and_then(Value::as_bool) == Some(true)
            && !["version", "path", "git"].iter().any(|key| table.contains_key(*key))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        member(&text.parse().expect("valid TOML"))
    }

    const GOOD: &str = "[package]\nname = 'x'\nversion.workspace = true\nedition.workspace = true\n\
        rust-version.workspace = true\nlicense.workspace = true\n[lints]\nworkspace = true\n";

    #[test]
    fn a_member_that_inherits_everything_passes() {
        assert!(
            problems(&format!(
                "{GOOD}[dependencies]\na.workspace = true\nb = {{ workspace = true, features = ['f'] }}"
            ))
            .is_empty()
        );
    }

    #[test]
    fn literal_versions_are_named_wherever_they_are() {
        let text = format!(
            "{GOOD}[dependencies]\na = '1'\n[dev-dependencies]\nb = {{ version = '1' }}\n\
             [target.'cfg(unix)'.dependencies]\nc = {{ path = '../c' }}"
        );
        assert_eq!(
            problems(&text),
            [
                "dependencies.a is not `workspace = true`",
                "dev-dependencies.b is not `workspace = true`",
                "target.cfg(unix).dependencies.c is not `workspace = true`",
            ]
        );
    }

    #[test]
    fn a_member_without_the_workspace_lints_is_found() {
        let found =
            problems(&GOOD.replace("[lints]\nworkspace = true\n", "[lints.rust]\nunused = 'allow'\n"));
        assert_eq!(found, ["does not say `[lints] workspace = true`"]);
        assert_eq!(problems("[package]\nname = 'x'\nversion = '1'").len(), 5);
    }
}
