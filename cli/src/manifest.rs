//! Manifests: Kubernetes-style documents, read by the same rules as the API's JSON.

use crate::client::Client;
use crate::exit::{Failure, Result};
use crate::render;
use bytes::Bytes;
use eventflow_domain::suggest;
use eventflow_proto::convert::draft;
use eventflow_proto::{api, v1};
use prost_reflect::DynamicMessage;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

pub(crate) const API_VERSION: &str = "eventflow.io/v1alpha1";
pub(crate) const KIND: &str = "Function";

/// Fields of a function that are not declared but found.
pub(crate) const OUTPUT_ONLY: [&str; 11] = [
    "uid",
    "state",
    "conditions",
    "version",
    "generation",
    "etag",
    "createTime",
    "updateTime",
    "desiredCopies",
    "readyCopies",
    "stats",
];

/// Bytes of a manifest file.
const MAX_FILE: u64 = 4 << 20;
/// Bytes sent at a time in an upload.
const CHUNK: usize = 64 << 10;

/// A function as one document of a file declares it.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) function: v1::Function,
    /// What paths in it are relative to.
    folder: PathBuf,
    /// Where it stands, for messages.
    pub(crate) place: String,
    /// As it was written.
    pub(crate) raw: Value,
}

/// Reads a file, or stdin for `-`.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| {
        Failure::new(Failure::NO_INPUT, format!("cannot read {}: {error}", path.display()))
    };
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes).map_err(failed)?;
        return Ok(bytes);
    }
    std::fs::read(path).map_err(failed)
}

/// All functions of a file. `namespace` is for documents that name none.
pub(crate) fn load(path: &Path, namespace: &str) -> Result<Vec<Document>> {
    let bytes = read(path)?;
    let bad = |text: String| Failure::new(Failure::DATA, format!("{}: {text}", path.display()));
    if bytes.len() as u64 > MAX_FILE {
        return Err(bad(format!("is larger than {MAX_FILE} bytes")));
    }
    let text = std::str::from_utf8(&bytes).map_err(|error| bad(format!("is not UTF-8: {error}")))?;
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| bad(error.to_string()))?;
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let mut functions = Vec::new();
    let many = documents.len() > 1;
    for (at, document) in documents.into_iter().filter(|document| !document.is_null()).enumerate() {
        let place = if many {
            format!("{} (document {})", path.display(), at + 1)
        } else {
            path.display().to_string()
        };
        let raw = document.clone();
        let function = parse(document, namespace).map_err(|problems| {
            Failure::new(Failure::DATA, format!("{place}:\n  {}", problems.join("\n  ")))
        })?;
        functions.push(Document { function, folder: folder.to_owned(), place, raw });
    }
    if functions.is_empty() {
        return Err(bad("holds no function".to_owned()));
    }
    Ok(functions)
}

/// One document as a function; each problem is one line that names its field.
fn parse(document: Value, namespace: &str) -> Result<v1::Function, Vec<String>> {
    let Value::Object(mut document) = document else {
        return Err(vec!["must be a mapping with apiVersion, kind, metadata and spec".to_owned()]);
    };
    let mut problems = Vec::new();
    let mut expect = |key: &str, wanted: &str| match document.remove(key) {
        Some(Value::String(found)) if found == wanted => {}
        Some(found) => problems.push(format!("{key}: must be {wanted}, is {found}")),
        None => problems.push(format!("{key}: is missing, must be {wanted}")),
    };
    expect("apiVersion", API_VERSION);
    expect("kind", KIND);
    let metadata = object(&mut document, "metadata", &mut problems);
    let mut flat = object(&mut document, "spec", &mut problems);
    document.remove("status");
    for key in document.keys() {
        problems.push(suggest::unknown("field", key, ["apiVersion", "kind", "metadata", "spec"]));
    }
    for key in OUTPUT_ONLY.iter().chain(&["name", "namespace"]) {
        if flat.contains_key(*key) {
            problems.push(format!("spec.{key}: is not a field of the spec"));
        }
    }
    merge_metadata(metadata, namespace, &mut flat, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    flat_function(&flat)
}

fn object(document: &mut Map<String, Value>, key: &str, problems: &mut Vec<String>) -> Map<String, Value> {
    match document.remove(key) {
        Some(Value::Object(object)) => object,
        Some(_) => {
            problems.push(format!("{key}: must be a mapping"));
            Map::new()
        }
        None => {
            problems.push(format!("{key}: is missing"));
            Map::new()
        }
    }
}

/// Name and namespace move beside the spec's fields, as the API has them.
fn merge_metadata(
    metadata: Map<String, Value>,
    namespace: &str,
    flat: &mut Map<String, Value>,
    problems: &mut Vec<String>,
) {
    flat.insert("namespace".to_owned(), Value::String(namespace.to_owned()));
    for (key, value) in metadata {
        match key.as_str() {
            "name" | "namespace" => {
                flat.insert(key, value);
            }
            // Kubernetes' own bookkeeping, which a manifest printed by kubectl brings along.
            "labels" | "annotations" | "uid" | "resourceVersion" | "generation" | "creationTimestamp"
            | "managedFields" => {}
            _ => problems.push(format!(
                "metadata: {}",
                suggest::unknown("field", &key, ["name", "namespace", "labels", "annotations"])
            )),
        }
    }
    if !flat.contains_key("name") {
        problems.push("metadata.name: is missing".to_owned());
    }
}

fn flat_function(flat: &Map<String, Value>) -> Result<v1::Function, Vec<String>> {
    let broken = || vec!["the built-in contract cannot be read".to_owned()];
    let json = serde_json::to_vec(flat).map_err(|_| broken())?;
    let descriptor = render::descriptor("Function").map_err(|_| broken())?;
    let message: DynamicMessage = eventflow_gateway::read_json(&json, &descriptor).map_err(|problem| {
        let lines = problem.errors.iter().map(|v| format!("{}: {}", v.field, v.description));
        let lines: Vec<String> = lines.collect();
        if lines.is_empty() { vec![problem.detail.clone()] } else { lines }
    })?;
    message.transcode_to().map_err(|_| broken())
}

/// Makes the document what the server can take: local code is uploaded, local programs get their full path, and
/// the declaration's rules are checked here already.
pub(crate) async fn resolve(client: &Client, document: Document) -> Result<v1::Function> {
    let Document { mut function, folder, place, .. } = document;
    let local = |text: &str| text.starts_with("./") || text.starts_with("../");
    if local(&function.image) {
        let path = folder.join(&function.image);
        let code = read(&path)?;
        // In a dry run too, so that the server can check the code; what nothing refers to is collected.
        function.image = upload(client, &function.namespace, code).await?;
    }
    if function.runtime() == v1::Runtime::Process {
        let v1::Function { command, args, .. } = &mut function;
        for word in command.iter_mut().chain(args).filter(|word| local(word)) {
            let path = folder.join(&*word);
            let full = path.canonicalize().map_err(|error| {
                Failure::new(Failure::NO_INPUT, format!("{place}: command: {}: {error}", path.display()))
            })?;
            *word = full.display().to_string();
        }
    }
    if let Err(violations) = draft(&function).validate() {
        let lines: Vec<String> =
            violations.iter().map(|v| format!("{}: {}", v.field, v.description)).collect();
        return Err(Failure::new(Failure::DATA, format!("{place}:\n  {}", lines.join("\n  "))));
    }
    Ok(function)
}

/// Uploads code; the name by which a function refers to it.
async fn upload(client: &Client, namespace: &str, code: Vec<u8>) -> Result<String> {
    let code = Bytes::from(code);
    let namespace = namespace.to_owned();
    let pieces = code.len().div_ceil(CHUNK).max(1);
    let messages = (0..pieces).map(move |at| {
        let piece = code.slice((at * CHUNK).min(code.len())..((at + 1) * CHUNK).min(code.len()));
        v1::UploadArtifactRequest {
            namespace: if at == 0 { namespace.clone() } else { String::new() },
            chunk: Some(api::HttpBody { data: piece, ..api::HttpBody::default() }),
        }
    });
    let answer =
        client.artifacts().upload_artifact(tokio_stream::iter(messages)).await.map_err(client.failed())?;
    Ok(format!("artifact@{}", answer.into_inner().digest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn manifest(spec: &Value) -> Value {
        json!({"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "a"}, "spec": spec})
    }

    #[test]
    fn a_manifest_is_read_as_the_api_reads_json() {
        let spec =
            json!({"runtime": "process", "command": ["cat"], "retry": {"maxAttempts": 3}, "env": {"A": "1"}});
        let function = parse(manifest(&spec), "media").expect("a function");
        assert_eq!((function.name.as_str(), function.namespace.as_str()), ("a", "media"));
        assert_eq!(function.runtime(), v1::Runtime::Process);
        assert_eq!(function.retry.map(|retry| retry.max_attempts), Some(3));
    }

    #[test]
    fn a_slip_is_told_with_the_nearest_name() {
        let problems = parse(manifest(&json!({"iamge": "nginx"})), "default").expect_err("a slip");
        assert!(problems[0].contains("did you mean \"image\""), "{problems:?}");
        let problems = parse(json!({"apiversion": "x", "kind": "Job"}), "default").expect_err("slips");
        assert!(problems.iter().any(|p| p.contains("kind: must be Function")), "{problems:?}");
        assert!(problems.iter().any(|p| p.contains("did you mean \"apiVersion\"")), "{problems:?}");
    }

    #[test]
    fn what_only_a_server_says_is_not_declared() {
        let problems = parse(manifest(&json!({"image": "a", "uid": "x"})), "default").expect_err("refused");
        assert_eq!(problems, ["spec.uid: is not a field of the spec"]);
    }
}
