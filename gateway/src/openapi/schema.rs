use super::texts::Texts;
use crate::transcode::scalar::{enum_prefix, enum_text};
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

/// The schemas that operations refer to, each made once.
#[derive(Debug)]
pub(super) struct Schemas<'t> {
    texts: &'t Texts,
    made: Map<String, Value>,
}

impl<'t> Schemas<'t> {
    pub(super) fn new(texts: &'t Texts) -> Self {
        let mut made = Map::new();
        made.insert("Problem".to_owned(), problem());
        Self { texts, made }
    }

    pub(super) fn finish(self) -> Value {
        Value::Object(self.made)
    }

    /// A reference to a message's schema, or the schema itself where JSON writes it as a string.
    pub(super) fn message(&mut self, of: &MessageDescriptor) -> Value {
        match of.full_name() {
            "google.protobuf.Timestamp" => return json!({"type": "string", "format": "date-time"}),
            "google.protobuf.Duration" => {
                return json!({"type": "string", "examples": ["30s", "1.5s", "5m"]});
            }
            _ => {}
        }
        let name = of.name().to_owned();
        if !self.made.contains_key(&name) {
            // Before its fields: messages may hold themselves.
            self.made.insert(name.clone(), Value::Null);
            let mut properties = Map::new();
            for field in of.fields() {
                properties.insert(field.json_name().to_owned(), self.field(&field));
            }
            let text = self.texts.at(of.parent_file().name(), of.path());
            let schema = described(json!({"type": "object", "properties": properties}), text);
            self.made.insert(name.clone(), schema);
        }
        json!({"$ref": format!("#/components/schemas/{name}")})
    }

    pub(super) fn field(&mut self, field: &FieldDescriptor) -> Value {
        let text = self.texts.at(field.parent_message().parent_file().name(), field.path());
        let output_only = text.starts_with("Output only.");
        let mut schema = match (field.is_map(), field.kind()) {
            (true, Kind::Message(entry)) => {
                let value = self.kind(&entry.map_entry_value_field().kind());
                json!({"type": "object", "additionalProperties": value})
            }
            (false, kind) if field.is_list() => json!({"type": "array", "items": self.kind(&kind)}),
            (_, kind) => self.kind(&kind),
        };
        if let (true, Some(schema)) = (output_only, schema.as_object_mut()) {
            schema.insert("readOnly".to_owned(), Value::Bool(true));
        }
        described(schema, text)
    }

    fn kind(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::Double | Kind::Float => json!({"type": "number"}),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => json!({"type": "integer", "format": "int32"}),
            Kind::Uint32 | Kind::Fixed32 => json!({"type": "integer", "format": "int64", "minimum": 0}),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 | Kind::Uint64 | Kind::Fixed64 => {
                json!({"type": "string", "format": "int64"})
            }
            Kind::Bool => json!({"type": "boolean"}),
            Kind::String => json!({"type": "string"}),
            Kind::Bytes => json!({"type": "string", "contentEncoding": "base64"}),
            Kind::Enum(of) => self.enumeration(of),
            Kind::Message(of) => self.message(of),
        }
    }

    fn enumeration(&mut self, of: &EnumDescriptor) -> Value {
        let name = of.name().to_owned();
        if !self.made.contains_key(&name) {
            let prefix = enum_prefix(of);
            let said: Vec<_> = of.values().filter(|value| value.number() != 0).collect();
            let names: Vec<_> = said.iter().map(|value| enum_text(value.name(), &prefix)).collect();
            let lines = said.iter().map(|value| {
                let text = self.texts.at(of.parent_file().name(), value.path());
                format!("- `{}`: {text}", enum_text(value.name(), &prefix))
            });
            let text = self.texts.at(of.parent_file().name(), of.path());
            let text = format!("{text}\n\n{}", lines.collect::<Vec<_>>().join("\n"));
            let schema = described(json!({"type": "string", "enum": names}), text);
            self.made.insert(name.clone(), schema);
        }
        json!({"$ref": format!("#/components/schemas/{name}")})
    }
}

pub(super) fn described(mut schema: Value, text: String) -> Value {
    if let (false, Some(schema)) = (text.is_empty(), schema.as_object_mut()) {
        schema.insert("description".to_owned(), Value::String(text));
    }
    schema
}

fn problem() -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    json!({
        "type": "object",
        "description": "An error (RFC 9457).",
        "required": ["type", "title", "status", "detail", "reason"],
        "properties": {
            "type": text("`urn:eventflow:problem:` and the reason."),
            "title": text("The HTTP status in words."),
            "status": {"type": "integer", "format": "int32", "description": "The HTTP status."},
            "detail": text("What is wrong, for people."),
            "instance": text("The path of the request."),
            "reason": text("What is wrong, stable and machine readable: `FunctionNotFound`."),
            "errors": {
                "type": "array",
                "description": "The fields that break rules.",
                "items": {
                    "type": "object",
                    "required": ["field", "description"],
                    "properties": {"field": text("The field's path."), "description": text("The rule.")},
                },
            },
            "requestId": text("Names the request in logs; also the header `X-Request-Id`."),
            "metadata": {
                "type": "object",
                "description": "Facts beside the text: a limit, the id of a call.",
                "additionalProperties": {"type": "string"},
            },
        },
    })
}
