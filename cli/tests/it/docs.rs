//! The pages of the reference say what the sources say.

mod conditions;
mod configuration;
mod errors;

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").to_owned()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The sources of the product below a folder, each without its tests.
fn sources(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry")) {
            let (path, name) = (entry.path(), entry.file_name());
            let skipped =
                ["tests", "tests.rs", "testkit", "generated", "examples"].iter().any(|of| name == *of);
            if skipped {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source");
                found.push(text.split("#[cfg(test)]").next().unwrap_or_default().to_owned());
            }
        }
    }
    found
}

/// What stands between `before` and the text in quotes that follows it, and that text; only words in CamelCase.
fn quoted_after<'a>(source: &'a str, before: &'static str) -> impl Iterator<Item = (&'a str, &'a str)> {
    source.split(before).skip(1).filter_map(|rest| {
        let (between, rest) = rest.split_once('"')?;
        let (word, _) = rest.split_once('"')?;
        let camel =
            word.starts_with(|c: char| c.is_ascii_uppercase()) && word.chars().all(char::is_alphanumeric);
        (camel && between.len() < 80).then_some((between, word))
    })
}

/// The rows of a page's tables, cell by cell, code marks taken off.
fn rows(page: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| {
        let cells = line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned());
        cells.collect::<Vec<_>>()
    };
    page.lines().filter(|line| line.starts_with("| `")).map(cells).collect()
}
