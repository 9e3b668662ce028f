//! Deploys the manifests of a folder, as a person would by `eventflow apply`.

use crate::args::Target;
use crate::client::Client;
use crate::{manifest, output};
use eventflow_proto::v1;
use std::path::{Path, PathBuf};

/// The manifest of an example, in a folder of its own.
const FILE: &str = "function.yaml";

/// Each example is tried by itself; one that cannot be deployed is told, and the others go on.
pub(super) async fn deploy(folder: PathBuf, url: String, token: String) {
    let target = Target { url, namespace: "default".to_owned() };
    let client = match Client::with_token(&target, Some(token)).await {
        Ok(client) => client,
        Err(failure) => return tracing::warn!(%failure, "examples were not deployed"),
    };
    let mut deployed = Vec::new();
    for path in manifests(&folder) {
        match apply(&client, &path).await {
            Ok(names) => deployed.extend(names),
            Err(failure) => output::say(&format!("example {} was not deployed: {failure}", path.display())),
        }
    }
    output::say(&format!("examples: {}", deployed.join(", ")));
}

fn manifests(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path().join(FILE)).filter(|path| path.is_file()).collect();
    found.sort();
    found
}

async fn apply(client: &Client, path: &Path) -> crate::exit::Result<Vec<String>> {
    let mut names = Vec::new();
    for document in manifest::load(path, &client.namespace)? {
        let function = manifest::resolve(client, document).await?;
        names.push(function.name.clone());
        let request =
            v1::ApplyFunctionRequest { function: Some(function), ..v1::ApplyFunctionRequest::default() };
        client.functions().apply_function(request).await.map_err(client.failed())?;
    }
    Ok(names)
}
