//! Messages of the API as text: the JSON that REST answers, the same as YAML, and functions as manifests.

use crate::exit::{Failure, Result};
use crate::output::Format;
use eventflow_proto::{DESCRIPTOR_SET, v1};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

static POOL: LazyLock<Option<DescriptorPool>> = LazyLock::new(|| DescriptorPool::decode(DESCRIPTOR_SET).ok());

fn broken() -> Failure {
    Failure::new(Failure::FAILED, "the built-in contract cannot be read")
}

/// The descriptor of a message of the contract.
pub(crate) fn descriptor(name: &str) -> Result<MessageDescriptor> {
    let pool = POOL.as_ref().ok_or_else(broken)?;
    pool.get_message_by_name(&format!("eventflow.v1.{name}")).ok_or_else(broken)
}

fn json_of<M: Message>(name: &str, message: &M) -> Result<Value> {
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

fn pretty(json: &Value) -> Result<String> {
    serde_json::to_string_pretty(json).map(|text| text + "\n").map_err(|_| broken())
}

fn yaml(json: &Value) -> Result<String> {
    serde_saphyr::to_string(json).map(|text| format!("---\n{text}")).map_err(|_| broken())
}

/// A function's JSON as a Kubernetes-style manifest: what is declared only.
fn manifest(json: Value) -> Value {
    let Value::Object(mut all) = json else { return json };
    let name = all.remove("name").unwrap_or_default();
    let namespace = all.remove("namespace").unwrap_or_default();
    let declared: Map<String, Value> = all
        .into_iter()
        .filter(|(key, _)| !crate::manifest::OUTPUT_ONLY.contains(&key.as_str()))
        .filter(|(_, value)| !value.as_array().is_some_and(Vec::is_empty))
        .map(|(key, value)| {
            // Manifests write `runtime: wasm`, the API prints `WASM`.
            let lower =
                matches!(key.as_str(), "runtime" | "mode" | "url" | "record" | "result" | "podSecurity");
            match value {
                Value::String(text) if lower => (key, Value::String(text.to_lowercase())),
                value => (key, value),
            }
        })
        .collect();
    json!({
        "apiVersion": crate::manifest::API_VERSION,
        "kind": crate::manifest::KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": declared,
    })
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
