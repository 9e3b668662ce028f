//! One line of the log.

use super::Style;
use std::fmt::{Arguments, Debug, Write as _};
use tracing::field::{Field, Visit};
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

/// Bytes of one value; the rest is cut off.
const MAX_VALUE: usize = 16 << 10;

/// Collects the fields of an event.
pub(super) struct Line {
    style: Style,
    message: String,
    /// The other fields, in the line's style: `,"a":1` or ` a=1`.
    fields: String,
    names: Vec<&'static str>,
}

impl Line {
    pub(super) fn new(style: Style) -> Self {
        Self { style, message: String::new(), fields: String::new(), names: Vec::new() }
    }

    fn name(&mut self, known: &'static str) {
        self.names.push(known);
        name(&mut self.fields, self.style, known);
    }

    fn text(&mut self, name: &'static str, text: Arguments<'_>) {
        if name == "message" {
            let _ = Escaped { out: &mut self.message, style: self.style, left: MAX_VALUE }.write_fmt(text);
            return;
        }
        self.name(name);
        value(&mut self.fields, self.style, text);
    }

    /// A number or a truth value, the same in both styles.
    fn bare(&mut self, name: &'static str, value: Arguments<'_>) {
        self.name(name);
        let _ = self.fields.write_fmt(value);
    }

    /// A field of a span around the event, in the line's style; what is nearer counts.
    pub(super) fn context(&mut self, name: &'static str, text: &str) {
        if !self.names.contains(&name) {
            self.names.push(name);
            self.fields.push_str(text);
        }
    }

    /// The whole line with its newline.
    pub(super) fn finish(self, metadata: &Metadata<'_>, service: &str) -> String {
        let mut line = String::with_capacity(128 + self.message.len() + self.fields.len());
        let (level, target) = (metadata.level(), metadata.target());
        match self.style {
            Style::Json => {
                line.push_str("{\"time\":\"");
                let _ = SystemTime.format_time(&mut Writer::new(&mut line));
                let _ = write!(
                    line,
                    "\",\"level\":\"{level}\",\"service\":\"{service}\",\"target\":\"{target}\""
                );
                line.extend([",\"message\":\"", &self.message, "\"", &self.fields]);
                line.push('}');
            }
            Style::Text { colours } => {
                let _ = SystemTime.format_time(&mut Writer::new(&mut line));
                if colours {
                    let _ = write!(line, " \u{1b}[{}m{level:>5}\u{1b}[0m {target}: ", colour(*level));
                } else {
                    let _ = write!(line, " {level:>5} {target}: ");
                }
                line.extend([&*self.message, &*self.fields]);
            }
        }
        line.push('\n');
        line
    }
}

fn colour(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    }
}

/// The name of a field, up to its value: `,"a":` or ` a=`.
pub(super) fn name(out: &mut String, style: Style, name: &str) {
    match style {
        Style::Json => out.extend([",\"", name, "\":"]),
        Style::Text { .. } => out.extend([" ", name, "="]),
    }
}

/// The value of a field, escaped and cut.
pub(super) fn value(out: &mut String, style: Style, value: Arguments<'_>) {
    let json = matches!(style, Style::Json);
    out.push_str(if json { "\"" } else { "" });
    let _ = Escaped { out, style, left: MAX_VALUE }.write_fmt(value);
    out.push_str(if json { "\"" } else { "" });
}

/// Escapes what is written through it, and drops what is too much.
struct Escaped<'a> {
    out: &'a mut String,
    style: Style,
    left: usize,
}

impl std::fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let text = text.get(..text.floor_char_boundary(self.left)).unwrap_or(text);
        self.left = self.left.saturating_sub(text.len());
        for c in text.chars() {
            match self.style {
                Style::Json => json(self.out, c),
                Style::Text { .. } => plain(self.out, c),
            }
        }
        Ok(())
    }
}

/// As in a JSON string.
fn json(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        // The second group is escaped for those who read the file raw on a terminal.
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        }
        _ => out.push(c),
    }
}

/// As text whose control characters are escaped: it stays on its line and moves no cursor.
fn plain(out: &mut String, c: char) {
    if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
        out.extend(c.escape_default());
    } else {
        out.push(c);
    }
}

impl Visit for Line {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.bare(field.name(), format_args!("{value}"));
        } else {
            self.text(field.name(), format_args!("{value}"));
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.bare(field.name(), format_args!("{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.bare(field.name(), format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.bare(field.name(), format_args!("{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field.name(), format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.text(field.name(), format_args!("{}", eventflow_domain::error::Chain(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.text(field.name(), format_args!("{value:?}"));
    }
}
