//! `apply --dry-run=client|cluster`: the rules of a declaration, without any server.

use crate::args::{Apply, DryRun};
use crate::exit::{Failure, Result};
use crate::manifest::{self, Document};
use crate::output::line;
use eventflow_domain::Violation;
use eventflow_proto::convert;

/// What a local path is taken for: the artifact that it would be uploaded as.
const SOME_ARTIFACT: &str =
    "artifact@sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// Checks all files, and says of all of them what is wrong.
pub(crate) fn check(args: &Apply, namespace: &str) -> Result<()> {
    let mut documents = Vec::new();
    for file in &args.file {
        documents.extend(manifest::load(file, namespace)?);
    }
    let mut problems = Vec::new();
    for document in &documents {
        let violations = match args.dry_run {
            Some(DryRun::Cluster) => of_cluster(document),
            _ => of_declaration(document),
        };
        if violations.is_empty() {
            let v1 = &document.function;
            line(&format!("function {}/{} is valid (dry run)", v1.namespace, v1.name))?;
            continue;
        }
        let lines = violations.iter().map(|v| format!("{}: {}", v.field, v.description));
        problems.push(format!("{}:\n  {}", document.place, lines.collect::<Vec<_>>().join("\n  ")));
    }
    if problems.is_empty() { Ok(()) } else { Err(Failure::new(Failure::DATA, problems.join("\n"))) }
}

fn is_local(image: &str) -> bool {
    image.starts_with("./") || image.starts_with("../")
}

fn of_declaration(document: &Document) -> Vec<Violation> {
    let mut function = document.function.clone();
    if is_local(&function.image) {
        SOME_ARTIFACT.clone_into(&mut function.image);
    }
    let mut violations = Vec::new();
    if let Err(error) = convert::function_key(&function.namespace, &function.name) {
        violations.extend(error.field_violations().iter().cloned());
    }
    violations.extend(convert::draft(&function).validate().err().into_iter().flatten());
    violations
}

/// The same code that the webhook and the operator run.
#[expect(clippy::indexing_slicing, reason = "a JSON value is null where there is nothing")]
fn of_cluster(document: &Document) -> Vec<Violation> {
    let mut raw = document.raw.clone();
    if raw["metadata"]["namespace"].is_null() {
        raw["metadata"]["namespace"] = document.function.namespace.clone().into();
    }
    if raw["spec"]["image"].as_str().is_some_and(is_local) {
        let why = "a local path is for `eventflow apply`, which uploads it: a cluster takes an image or artifact@sha256:…";
        return vec![Violation::new("spec.image", why)];
    }
    match serde_json::from_value::<eventflow_crd::Function>(raw) {
        Ok(object) => eventflow_crd::validate(&object).err().map(|refused| refused.0).unwrap_or_default(),
        Err(error) => vec![Violation::new("spec", error.to_string())],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[expect(clippy::unwrap_in_result, reason = "the result is what is tested; the rest is the test's own")]
    fn checked(dry_run: DryRun, spec: &str) -> Result<(), String> {
        let folder = tempfile::tempdir().expect("a folder");
        let file: PathBuf = folder.path().join("f.yaml");
        let text = format!(
            "apiVersion: eventflow.io/v1alpha1\nkind: Function\nmetadata: {{name: a}}\nspec: {spec}\n"
        );
        std::fs::write(&file, text).expect("written");
        let documents =
            manifest::load(&file, "media").map_err(|f| f.message().unwrap_or_default().to_owned())?;
        let violations = documents.iter().flat_map(|document| match dry_run {
            DryRun::Cluster => of_cluster(document),
            _ => of_declaration(document),
        });
        let said: Vec<_> = violations.map(|v| format!("{}: {}", v.field, v.description)).collect();
        if said.is_empty() { Ok(()) } else { Err(said.join("; ")) }
    }

    #[test]
    fn a_cluster_is_asked_without_one() {
        assert_eq!(
            checked(DryRun::Cluster, "{image: \"nginx:alpine\", replicas: 1, env: {ENV: production}}"),
            Ok(())
        );
        let process = "{runtime: process, command: [cat]}";
        assert_eq!(checked(DryRun::Client, process), Ok(()));
        let refused = checked(DryRun::Cluster, process).expect_err("refused");
        assert!(refused.starts_with("spec.runtime: process runs on one machine only"), "{refused}");
        let refused = checked(DryRun::Cluster, "{image: a, timeout: 2d}").expect_err("refused");
        assert_eq!(refused, "spec.timeout: is \"2d\"; allowed: 1s to 24h");
        let refused = checked(DryRun::Cluster, "{image: ./a.wasm, runtime: wasm}").expect_err("refused");
        assert!(refused.contains("eventflow apply"), "{refused}");
        assert_eq!(checked(DryRun::Client, "{image: ./a.wasm, runtime: wasm}"), Ok(()));
    }

    #[test]
    fn a_slip_is_told_with_the_nearest_name() {
        let refused = checked(DryRun::Cluster, "{iamge: a}").expect_err("refused");
        assert!(refused.contains("did you mean \"image\""), "{refused}");
    }
}
