//! Messages of the API as text: the JSON that REST answers, the same as YAML, and functions as manifests.

mod tree;

use crate::exit::{Failure, Result};
use crate::output::Format;
use eventflow_proto::{DESCRIPTOR_SET, v1};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use std::sync::LazyLock;
use tree::Tree;

static POOL: LazyLock<Option<DescriptorPool>> = LazyLock::new(|| DescriptorPool::decode(DESCRIPTOR_SET).ok());

fn broken() -> Failure {
    Failure::new(Failure::FAILED, "the built-in contract cannot be read")
}

/// The descriptor of a message of the contract.
pub(crate) fn descriptor(name: &str) -> Result<MessageDescriptor> {
    let pool = POOL.as_ref().ok_or_else(broken)?;
    pool.get_message_by_name(&format!("eventflow.v1.{name}")).ok_or_else(broken)
}

fn json_of<M: Message>(name: &str, message: &M) -> Result<Tree> {
    let bytes = message.encode_to_vec();
    let dynamic = DynamicMessage::decode(descriptor(name)?, bytes.as_slice()).map_err(|_| broken())?;
    serde_json::from_slice(&eventflow_gateway::write_json(&dynamic)).map_err(|_| broken())
}

/// A message of the contract as text. Functions as YAML are manifests, ready to be applied again.
pub(crate) fn message<M: Message + Named>(message: &M, format: Format) -> Result<String> {
    let json = json_of(M::NAME, message)?;
    match format {
        Format::Yaml if M::NAME == "Function" => yaml(&manifest(json)),
        Format::Yaml => yaml(&json),
        Format::Json | Format::Table => pretty(&json),
    }
}

pub(crate) fn invocation(record: &v1::Invocation, format: Format) -> Result<String> {
    message(record, format)
}

fn pretty(json: &Tree) -> Result<String> {
    serde_json::to_string_pretty(json).map(|text| text + "\n").map_err(|_| broken())
}

fn yaml(json: &Tree) -> Result<String> {
    serde_saphyr::to_string(json).map(|text| format!("---\n{text}")).map_err(|_| broken())
}

/// A function's JSON as a Kubernetes-style manifest: what is declared only.
fn manifest(json: Tree) -> Tree {
    let Tree::Object(all) = json else { return json };
    let (metadata, spec): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|(key, _)| matches!(key.as_str(), "name" | "namespace"));
    let declared = spec
        .into_iter()
        .filter(|(key, value)| {
            !crate::manifest::OUTPUT_ONLY.contains(&key.as_str()) && !value.is_empty_list()
        })
        .map(|(key, value)| {
            // Manifests write `runtime: wasm`, the API prints `WASM`.
            let lower =
                matches!(key.as_str(), "runtime" | "mode" | "url" | "record" | "result" | "podSecurity");
            match value {
                Tree::Text(text) if lower => (key, Tree::Text(text.to_lowercase())),
                value => (key, value),
            }
        });
    let text = |text: &str| Tree::Text(text.to_owned());
    let fields = [
        ("apiVersion", text(crate::manifest::API_VERSION)),
        ("kind", text(crate::manifest::KIND)),
        ("metadata", Tree::Object(metadata)),
        ("spec", Tree::Object(declared.collect())),
    ];
    Tree::Object(fields.map(|(key, value)| (key.to_owned(), value)).into())
}

/// The name of a message within the contract.
pub(crate) trait Named {
    const NAME: &'static str;
}

macro_rules! named {
    ($($message:ident),+) => {$(
        impl Named for v1::$message {
            const NAME: &'static str = stringify!($message);
        }
    )+};
}
named!(
    Function,
    Invocation,
    ListFunctionsResponse,
    ListInvocationsResponse,
    ListSecretsResponse,
    ListVersionsResponse,
    LogLine
);

#[cfg(test)]
mod tests {
    use super::*;

    fn function() -> v1::Function {
        v1::Function {
            name: "resize".to_owned(),
            namespace: "media".to_owned(),
            runtime: v1::Runtime::Wasm.into(),
            image: "artifact@sha256:00".to_owned(),
            env: [("ZEBRA".to_owned(), "1".to_owned()), ("APE".to_owned(), "2".to_owned())].into(),
            timeout: "30s".to_owned(),
            version: Some(3),
            etag: "u-7".to_owned(),
            ..v1::Function::default()
        }
    }

    /// Where each of these begins in the text.
    fn in_order(text: &str, parts: &[&str]) -> bool {
        let places: Option<Vec<_>> = parts.iter().map(|part| text.find(part)).collect();
        places.is_some_and(|places| places.is_sorted())
    }

    #[test]
    fn json_keeps_the_order_of_the_contract() {
        let text = message(&function(), Format::Json).expect("text");
        let parts = [
            "{\n  \"name\"",
            "\"namespace\"",
            "\"image\"",
            "\"runtime\"",
            "\"env\"",
            "\"version\"",
            "\"etag\"",
        ];
        assert!(in_order(&text, &parts), "{text}");
        assert!(text.ends_with("}\n"), "{text}");
        let list = v1::ListFunctionsResponse { functions: vec![function()], next_page_token: "t".to_owned() };
        let yaml = message(&list, Format::Yaml).expect("text");
        assert!(
            in_order(&yaml, &["functions:", "name:", "namespace:", "image:", "env:", "nextPageToken:"]),
            "{yaml}"
        );
    }

    #[test]
    fn a_manifest_keeps_the_order_of_the_contract_and_drops_what_is_output_only() {
        let text = message(&function(), Format::Yaml).expect("text");
        let parts = [
            "apiVersion:",
            "kind:",
            "metadata:",
            "name: resize",
            "namespace: media",
            "spec:",
            "image:",
            "runtime: wasm",
        ];
        assert!(in_order(&text, &parts) && in_order(&text, &["APE", "ZEBRA", "timeout"]), "{text}");
        assert!(!text.contains("etag") && !text.contains("version:") && !text.contains("[]"), "{text}");
    }
}
