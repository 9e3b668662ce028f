//! Walks through tables, lists and enums; adds the place to every error that passes.

use super::error::Error;
use super::{Node, Reader, Step};
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, EnumAccess, IntoDeserializer as _, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use std::collections::{BTreeMap, btree_map};
use std::iter::Enumerate;
use std::slice;

pub(super) struct TableReader<'p, 'a> {
    parent: &'p Reader<'a>,
    entries: btree_map::Iter<'a, String, Node>,
    /// Unknown keys were noted already and are passed over.
    fields: Option<&'static [&'static str]>,
    value: Option<Reader<'a>>,
}

impl<'p, 'a> TableReader<'p, 'a> {
    pub(super) fn new(
        parent: &'p Reader<'a>,
        table: &'a BTreeMap<String, Node>,
        fields: Option<&'static [&'static str]>,
    ) -> Self {
        Self { parent, entries: table.iter(), fields, value: None }
    }
}

impl<'de> MapAccess<'de> for TableReader<'_, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let fields = self.fields;
        let known = |key: &str| fields.is_none_or(|fields| fields.contains(&key));
        let Some((key, node)) = self.entries.find(|(key, _)| known(key)) else { return Ok(None) };
        let reader = self.parent.child(node, Step::Key(key.clone()));
        let key: StrDeserializer<'_, Error> = key.as_str().into_deserializer();
        let read = seed.deserialize(key).map_err(|error| error.at(&reader.path))?;
        self.value = Some(reader);
        Ok(Some(read))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let reader = self.value.take().ok_or_else(|| Error::new("a value without a key".to_owned()))?;
        let path = reader.path.clone();
        seed.deserialize(reader).map_err(|error| error.at(&path))
    }
}

pub(super) struct SeqReader<'p, 'a, 'i> {
    parent: &'p Reader<'a>,
    items: Enumerate<slice::Iter<'i, Node>>,
}

impl<'p, 'a, 'i> SeqReader<'p, 'a, 'i> {
    pub(super) fn new(parent: &'p Reader<'a>, items: slice::Iter<'i, Node>) -> Self {
        Self { parent, items: items.enumerate() }
    }
}

impl<'de> SeqAccess<'de> for SeqReader<'_, '_, '_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some((index, node)) = self.items.next() else { return Ok(None) };
        let mut path = self.parent.path.clone();
        path.push(Step::Index(index));
        let reader = Reader { node, path: path.clone(), unknown: self.parent.unknown };
        seed.deserialize(reader).map(Some).map_err(|error| error.at(&path))
    }
}

/// An enum written as a table with one key: its variant.
pub(super) struct EnumReader<'p, 'a>(pub(super) TableReader<'p, 'a>);

impl<'de> EnumAccess<'de> for EnumReader<'_, '_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(mut self, seed: V) -> Result<(V::Value, Self), Error> {
        let variant =
            self.0.next_key_seed(seed)?.ok_or_else(|| Error::new("must name a variant".to_owned()))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for EnumReader<'_, '_> {
    type Error = Error;

    fn unit_variant(mut self) -> Result<(), Error> {
        self.0.next_value()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(mut self, seed: T) -> Result<T::Value, Error> {
        self.0.next_value_seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Error> {
        let reader = self.0.value.ok_or_else(|| Error::new("a variant without a value".to_owned()))?;
        serde::Deserializer::deserialize_seq(reader, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let reader = self.0.value.ok_or_else(|| Error::new("a variant without a value".to_owned()))?;
        serde::Deserializer::deserialize_struct(reader, "", fields, visitor)
    }
}
