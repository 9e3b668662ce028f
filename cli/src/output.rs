//! What a person, or a script, gets to see. Stdout is for results only; everything else goes to stderr.

use crate::exit::{Failure, Result};
use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table};
use std::io::{self, IsTerminal as _, Write};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people.
    #[default]
    Table,
    /// The API's JSON.
    Json,
    /// The API's JSON as YAML; for functions, a manifest.
    Yaml,
}

/// Writes to stdout. A reader that went away (`| head`) is no error: the command ends quietly with 0.
pub(crate) fn out(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::new(0, "")),
        Err(error) => Err(Failure::new(Failure::FAILED, format!("cannot write to stdout: {error}"))),
    }
}

pub(crate) fn line(text: &str) -> Result<()> {
    out(format!("{text}\n").as_bytes())
}

/// Says something beside the result. A closed stderr is not worth failing for.
pub(crate) fn say(text: &str) {
    let _unheard = writeln!(io::stderr().lock(), "{text}");
}

pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// A line that is written over by the next; nothing where stderr is not a terminal.
pub(crate) fn progress(text: &str) {
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() {
        let _unheard = write!(stderr, "\r\x1b[2K{text}").and_then(|()| stderr.flush());
    }
}

/// Whether stdout shows colours.
pub(crate) fn colours() -> bool {
    io::stdout().is_terminal() && !crate::env::no_color()
}

/// A state with its colour.
pub(crate) fn paint_state(state: &str) -> String {
    let code = match state {
        "SUCCEEDED" | "READY" => "32",
        "FAILED" | "DEGRADED" => "31",
        "RUNNING" | "RETRYING" | "PENDING" => "33",
        _ => "2",
    };
    if colours() { format!("\x1b[{code}m{state}\x1b[0m") } else { state.to_owned() }
}

/// A plain table: columns by two blanks, no borders.
pub(crate) fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(|name| (*name).to_owned()));
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt() + "\n"
}

/// Text that user code printed: on a terminal control characters are shown, not obeyed.
pub(crate) fn harmless(text: &str) -> String {
    if !io::stdout().is_terminal() || !text.contains(|c: char| c.is_control() && c != '\t') {
        return text.to_owned();
    }
    text.chars()
        .map(|c| if c.is_control() && c != '\t' { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}
