//! The layer of the file.

use super::problem::{Origin, Problem};
use super::source::Source;
use super::tree::{Node, Value};
use std::io;
use std::path::Path;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Reads a TOML file; what cannot be read is a problem, and the rest of the file still counts.
pub(super) fn read(
    source: &dyn Source,
    path: &Path,
    required: bool,
    problems: &mut Vec<Problem>,
) -> Option<Node> {
    let whole = |message| Problem {
        origin: Origin::File { path: path.into(), line: 0 },
        path: String::new(),
        message,
    };
    let text = match source.file(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !required => return None,
        Err(error) => {
            problems.push(whole(format!("failed to read the file: {error}")));
            return None;
        }
    };
    let reader = Reader { text: &text, path: path.into() };
    let (table, errors) = DeTable::parse_recoverable(&text);
    for error in errors {
        let line = error.span().map_or(0, |span| reader.line(span.start));
        let origin = Origin::File { path: Arc::clone(&reader.path), line };
        problems.push(Problem { origin, path: String::new(), message: error.message().replace('\n', ", ") });
    }
    Some(reader.table(0, table.get_ref()))
}

struct Reader<'a> {
    text: &'a str,
    path: Arc<Path>,
}

impl Reader<'_> {
    fn line(&self, at: usize) -> usize {
        1 + self.text.bytes().take(at).filter(|&byte| byte == b'\n').count()
    }

    fn node(&self, at: usize, value: Value) -> Node {
        Node { value, origin: Origin::File { path: Arc::clone(&self.path), line: self.line(at) } }
    }

    fn table(&self, at: usize, table: &DeTable<'_>) -> Node {
        let child = |(key, value): (&Spanned<_>, &Spanned<_>)| {
            let name: &std::borrow::Cow<'_, str> = key.get_ref();
            (name.as_ref().to_owned(), self.value(key.span().start, value.get_ref()))
        };
        self.node(at, Value::Table(table.iter().map(child).collect()))
    }

    fn value(&self, at: usize, value: &DeValue<'_>) -> Node {
        let value = match value {
            DeValue::String(text) => Value::Str(text.as_ref().to_owned()),
            DeValue::Boolean(truth) => Value::Bool(*truth),
            DeValue::Datetime(time) => Value::Str(time.to_string()),
            // Numbers that do not fit are left as text: the type of the key says what is wrong with them.
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::Int(number),
                Err(_) => Value::Text(number.as_str().to_owned()),
            },
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(number) => Value::Float(number),
                Err(_) => Value::Text(number.as_str().to_owned()),
            },
            DeValue::Array(array) => {
                Value::Array(array.iter().map(|item| self.value(item.span().start, item.get_ref())).collect())
            }
            DeValue::Table(table) => return self.table(at, table),
        };
        self.node(at, value)
    }
}
