//! A configuration as a tree of values, each with where it was written.

use super::problem::Origin;
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Table(BTreeMap<String, Node>),
    Array(Vec<Node>),
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    /// From a variable or a flag: whatever the key's type reads from it.
    Text(String),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// A step from a node to its child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// `server.listen`, `auth.users[2].name`.
pub(super) fn dotted(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => {
                text.push('.');
                text.push_str(key);
            }
            Step::Index(index) => text.push_str(&["[", &index.to_string(), "]"].concat()),
        }
    }
    text
}

impl Node {
    pub(super) fn table() -> Self {
        Self { value: Value::Table(BTreeMap::new()), origin: Origin::Default }
    }

    /// Lays `over` on top: tables key by key, everything else as a whole.
    pub(super) fn merge(&mut self, over: Self) {
        match (&mut self.value, over.value) {
            (Value::Table(under), Value::Table(over)) => {
                for (key, node) in over {
                    match under.get_mut(&key) {
                        Some(existing) => existing.merge(node),
                        None => {
                            under.insert(key, node);
                        }
                    }
                }
            }
            (_, value) => *self = Self { value, origin: over.origin },
        }
    }

    /// Lays one value on top.
    pub(super) fn insert(&mut self, path: &[String], text: &str, origin: &Origin) {
        let leaf = Self { value: Value::Text(text.to_owned()), origin: origin.clone() };
        let layer = path.iter().rev().fold(leaf, |node, key| Self {
            value: Value::Table(BTreeMap::from([(key.clone(), node)])),
            origin: origin.clone(),
        });
        self.merge(layer);
    }

    /// Takes a node out; `false` if there is none.
    pub(super) fn remove(&mut self, path: &[Step]) -> bool {
        match (path, &mut self.value) {
            ([Step::Key(key)], Value::Table(table)) => table.remove(key).is_some(),
            ([Step::Index(index)], Value::Array(array)) if *index < array.len() => {
                array.remove(*index);
                true
            }
            ([Step::Key(key), rest @ ..], Value::Table(table)) => {
                table.get_mut(key).is_some_and(|node| node.remove(rest))
            }
            ([Step::Index(index), rest @ ..], Value::Array(array)) => {
                array.get_mut(*index).is_some_and(|node| node.remove(rest))
            }
            _ => false,
        }
    }

    /// Where a dotted key was written, or else the nearest table above it.
    pub(super) fn origin_of(&self, key: &str) -> Origin {
        let mut node = self;
        for name in key.split(['.', '[']) {
            let next = match &node.value {
                Value::Table(table) => table.get(name),
                Value::Array(array) => {
                    name.trim_end_matches(']').parse().ok().and_then(|i: usize| array.get(i))
                }
                _ => None,
            };
            match next {
                Some(next) => node = next,
                None => return Origin::Default,
            }
        }
        node.origin.clone()
    }
}
