//! The command line as a person uses it: every verb against a real server, output and exit codes.

mod calls;
mod dev;
mod ends;
mod functions;
mod logs;
mod settings;
mod templates;

use eventflow_e2e::Cli;
use serde_json::Value;

/// A manifest of a function; `spec` are its lines, without their indent.
pub(crate) fn manifest(name: &str, spec: &str) -> String {
    let mut text =
        format!("apiVersion: eventflow.io/v1alpha1\nkind: Function\nmetadata:\n  name: {name}\nspec:\n");
    for line in spec.lines() {
        text.push_str("  ");
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// The same of a job that runs a shell script.
pub(crate) fn script(name: &str, script: &str) -> String {
    manifest(name, &format!("runtime: process\ncommand: [sh, -c, {}]", Value::from(script)))
}

/// Applies a manifest from a file.
pub(crate) async fn apply(cli: &Cli, name: &str, text: &str) -> String {
    let file = format!("{name}.yaml");
    cli.write(&file, text);
    cli.ok(&["apply", "-f", &file]).await
}

/// What a command prints with `-o json`.
pub(crate) async fn json(cli: &Cli, args: &[&str]) -> Value {
    let text = cli.ok(&[args, &["-o", "json"]].concat()).await;
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{args:?}: {error}: {text}"))
}
