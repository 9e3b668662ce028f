//! From the tree to a config struct, finding every problem on the way.

mod access;
mod error;

use super::problem::{Origin, Problem};
use super::tree::{Node, Step, Value, dotted};
use access::{EnumReader, SeqReader, TableReader};
use error::Error;
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use std::cell::RefCell;

/// Reads a config. A value that is refused is noted and taken out, and the rest is read again, until it reads:
/// so all bad values are found. `None` if even that does not help.
pub(super) fn read<T: DeserializeOwned>(mut root: Node, problems: &mut Vec<Problem>) -> Option<T> {
    let unknown = RefCell::new(Vec::new());
    // What was taken out is missed by tables that cannot do without it: that has been said already.
    let mut taken: Vec<(Origin, String)> = Vec::new();
    let config = loop {
        let reader = Reader { node: &root, path: Vec::new(), unknown: &unknown };
        let Error { message, path, missing } = match T::deserialize(reader) {
            Ok(config) => break Some(config),
            Err(error) => error,
        };
        let path = path.unwrap_or_default();
        let (text, table) =
            (dotted(&path), root.origin_of(&dotted(path.split_last().map_or(&[], |(_, up)| up))));
        let origin = root.origin_of(&text);
        let said = missing.is_some_and(|field| taken.iter().any(|(at, key)| *at == origin && key == field));
        if !said {
            problems.push(Problem { origin, path: text, message });
        }
        if let Some(Step::Key(key)) = path.last() {
            taken.push((table, key.clone()));
        }
        if !root.remove(&path) {
            break None;
        }
    };
    for problem in unknown.into_inner() {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    config
}

/// A node as a serde deserializer.
#[derive(Clone)]
struct Reader<'a> {
    node: &'a Node,
    path: Vec<Step>,
    unknown: &'a RefCell<Vec<Problem>>,
}

impl<'a> Reader<'a> {
    fn child(&self, node: &'a Node, step: Step) -> Self {
        let mut path = self.path.clone();
        path.push(step);
        Self { node, path, unknown: self.unknown }
    }

    fn refuse_unknown(&self, fields: &'static [&'static str]) {
        let Value::Table(table) = &self.node.value else { return };
        for (key, node) in table.iter().filter(|(key, _)| !fields.contains(&key.as_str())) {
            let path = dotted(&self.child(node, Step::Key(key.clone())).path);
            let message = eventflow_domain::suggest::unknown("key", key, fields.iter().copied());
            self.unknown.borrow_mut().push(Problem { origin: node.origin.clone(), path, message });
        }
    }

    fn table<'de, V: Visitor<'de>>(
        self,
        fields: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Table(table) => visitor.visit_map(TableReader::new(&self, table, fields)),
            other => Err(Error::new(format!("must be a table, is {}", shown(other)))),
        }
    }
}

/// A value in an error message.
fn shown(value: &Value) -> String {
    match value {
        Value::Table(_) => "a table".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Str(text) | Value::Text(text) => format!("{:?}", text.chars().take(64).collect::<String>()),
    }
}

macro_rules! integer {
    ($($method:ident $visit:ident $type:ty),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let number = match &self.node.value {
                Value::Int(number) => <$type>::try_from(*number).ok(),
                Value::Text(text) => text.trim().parse().ok(),
                _ => None,
            };
            let refused = || {
                let (min, max, found) = (<$type>::MIN, <$type>::MAX, shown(&self.node.value));
                Error::new(format!("must be a whole number from {min} to {max}, is {found}"))
            };
            visitor.$visit(number.ok_or_else(refused)?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Table(_) => self.table(None, visitor),
            Value::Array(_) => self.deserialize_seq(visitor),
            Value::Bool(truth) => visitor.visit_bool(*truth),
            Value::Int(number) => visitor.visit_i64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Str(text) | Value::Text(text) => visitor.visit_str(text),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let truth = match &self.node.value {
            Value::Bool(truth) => Some(*truth),
            Value::Text(text) => text.trim().parse().ok(),
            _ => None,
        };
        let refused = || Error::new(format!("must be true or false, is {}", shown(&self.node.value)));
        visitor.visit_bool(truth.ok_or_else(refused)?)
    }

    integer!(
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64, deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64
    );

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let number = match &self.node.value {
            Value::Float(number) => Some(*number),
            Value::Int(number) => Some(*number as f64),
            Value::Text(text) => text.trim().parse().ok(),
            _ => None,
        };
        let refused = || Error::new(format!("must be a number, is {}", shown(&self.node.value)));
        visitor.visit_f64(number.filter(|number| number.is_finite()).ok_or_else(refused)?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Str(text) | Value::Text(text) => visitor.visit_str(text),
            other => Err(Error::new(format!("must be text, is {}", shown(other)))),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    /// An empty variable unsets an optional key.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Text(text) if text.is_empty() => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    /// A variable writes a list with commas.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Array(items) => visitor.visit_seq(SeqReader::new(&self, items.iter())),
            Value::Text(text) => {
                let item = |item: &str| Node {
                    value: Value::Text(item.trim().to_owned()),
                    origin: self.node.origin.clone(),
                };
                let items: Vec<Node> =
                    text.split(',').filter(|item| !item.trim().is_empty()).map(item).collect();
                // The items are no nodes of the tree: what is wrong with one is wrong with the variable.
                visitor
                    .visit_seq(SeqReader::new(&self, items.iter()))
                    .map_err(|error| error.only_at(&self.path))
            }
            other => Err(Error::new(format!("must be a list, is {}", shown(other)))),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.table(None, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.refuse_unknown(fields);
        self.table(Some(fields), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Str(text) | Value::Text(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            Value::Table(table) if table.len() == 1 => {
                visitor.visit_enum(EnumReader(TableReader::new(&self, table, None)))
            }
            other => Err(Error::new(format!("must be text, is {}", shown(other)))),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple_struct identifier
    }
}
