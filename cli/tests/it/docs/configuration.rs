use super::read;
use crate::server::eventflow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// Where the keys are declared; the comments of the fields are the text of the page.
const DECLARED: [&str; 3] =
    ["cli/src/dev/config.rs", "wiring/src/sections.rs", "crates/telemetry/src/config.rs"];

const INTRO: &str = "\
# Configuration of `eventflow dev`

<!-- Made from the comments in the sources; a test compares it with them and says how to make it anew. -->

A value comes from the first of these that has it:

1. a flag: `--listen`, `--data`, `--examples`, or `--set KEY=VALUE` for any key (`--set limits.payload=1Mi`)
2. an environment variable
3. the TOML file that `--config` or `EVENTFLOW_CONFIG` names, a section for each table below
4. the default

All problems of all sources are told at once, each with its place (file and line, variable, flag) and the nearest key
that exists, and the process ends with exit code 78. `eventflow dev --dump-config` prints what is in force as such a file.

Durations are written `250ms`, `30s`, `1h30m`, `7d`; sizes `64Ki`, `1Mi`, `2Gi` (both in quotes in the file); a list in a variable or a
flag with commas between.
";

const CLIENTS: &str = "
## Variables of clients

| Variable | Meaning |
|---|---|
| `EVENTFLOW_URL` | The server; default `http://127.0.0.1:8080`. |
| `EVENTFLOW_TOKEN` | The token, instead of that of `eventflow login`. |
| `EVENTFLOW_NAMESPACE` | The namespace; default `default`. |
";

struct Key {
    name: String,
    unit: &'static str,
    meaning: String,
    /// The struct of a section.
    section: Option<String>,
}

/// Each struct of the sources and its keys.
fn structs() -> BTreeMap<String, Vec<Key>> {
    let mut found: BTreeMap<String, Vec<Key>> = BTreeMap::new();
    for text in DECLARED.map(read) {
        let (mut inside, mut comment, mut with) = (None, String::new(), String::new());
        for line in text.lines() {
            let trimmed = line.trim().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
            if let Some(name) = trimmed.strip_prefix("struct ").and_then(|rest| rest.strip_suffix(" {")) {
                inside = Some(name.to_owned());
                comment.clear();
            } else if line == "}" {
                inside = None;
            } else if let (Some(owner), Some(text)) = (&inside, trimmed.strip_prefix("/// ")) {
                assert!(!owner.is_empty());
                comment = [comment.trim(), text].join(" ").trim().to_owned();
            } else if trimmed.starts_with("#[serde(with") {
                trimmed.clone_into(&mut with);
            } else if let (Some(owner), Some((name, of))) =
                (&inside, trimmed.trim_end_matches(',').split_once(": "))
            {
                let key = key(name, of, &with, std::mem::take(&mut comment));
                found.entry(owner.clone()).or_default().push(key);
                with.clear();
            }
        }
    }
    found
}

fn key(name: &str, of: &str, with: &str, meaning: String) -> Key {
    let of = of.trim_start_matches("Option<").trim_end_matches('>');
    let unit = match of {
        _ if with.contains("duration") => "duration",
        _ if with.contains("bytes") => "size",
        "u32" | "u64" | "usize" | "f64" => "number",
        "PathBuf" => "path",
        "Vec<String" => "list",
        "String" | "Format" => "text",
        section => {
            let section = Some(section.rsplit("::").next().unwrap_or(section).to_owned());
            return Key { name: name.to_owned(), unit: "", meaning, section };
        }
    };
    assert!(!meaning.is_empty(), "{name} has no comment");
    Key { name: name.to_owned(), unit, meaning, section: None }
}

fn default_of(value: Option<&toml::Value>) -> String {
    match value {
        None => "–".to_owned(),
        Some(toml::Value::String(text)) if text.is_empty() => "–".to_owned(),
        Some(toml::Value::Array(items)) if items.is_empty() => "–".to_owned(),
        Some(toml::Value::String(text)) => format!("`{text}`"),
        Some(value) => format!("`{value}`"),
    }
}

fn table(keys: &[Key], section: &str, defaults: &toml::Table) -> String {
    let mut out = "\n| Key | Default | Unit | Variable | Meaning |\n|---|---|---|---|---|\n".to_owned();
    for key in keys.iter().filter(|key| key.section.is_none()) {
        let (dot, bars) = if section.is_empty() { ("", "") } else { (".", "__") };
        let (name, default) = (&key.name, default_of(defaults.get(&key.name)));
        let variable = format!("EVENTFLOW_{section}{bars}{name}").to_uppercase();
        let _ = writeln!(
            out,
            "| `{section}{dot}{name}` | {default} | {} | `{variable}` | {} |",
            key.unit, key.meaning
        );
    }
    out
}

#[tokio::test]
async fn the_page_has_every_key_with_its_default() {
    // The folder of a home that every reader has.
    let output = eventflow(Path::new("~")).args(["dev", "--dump-config"]).output().await.expect("should run");
    let defaults: toml::Table = String::from_utf8(output.stdout).expect("text").parse().expect("TOML");
    let structs = structs();
    let top = &structs["DevConfig"];
    let mut page = INTRO.to_owned() + &table(top, "", &defaults);
    let mut sections = 0;
    for key in top {
        if let Some(section) = &key.section {
            let defaults = defaults[&key.name].as_table().expect("a section");
            let keys = structs.get(section).unwrap_or_else(|| panic!("{section} is declared elsewhere"));
            let names: Vec<_> = keys.iter().map(|key| key.name.as_str()).collect();
            assert!(defaults.keys().all(|name| names.contains(&name.as_str())), "{section}: {names:?}");
            let _ = writeln!(page, "\n## `[{}]`", key.name);
            page += &table(keys, &key.name, defaults);
            sections += 1;
        }
    }
    assert_eq!(sections, defaults.values().filter(|value| value.is_table()).count());
    page += CLIENTS;
    let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("configuration.md");
    std::fs::write(&fresh, &page).expect("a file");
    let written = std::fs::read_to_string(super::root().join("docs/configuration.md")).unwrap_or_default();
    assert!(
        written == page,
        "docs/configuration.md is out of date:\ncp {} docs/configuration.md",
        fresh.display()
    );
}
