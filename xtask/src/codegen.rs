//! Generates `crates/proto/src/generated/` from `proto/`, without protoc, and the custom resource's definition in
//! `deploy/kustomize/base/crd/` from `crates/crd`.
//!
//! The result is committed, so that building EventFlow needs neither protoc nor buf, and installing it no build.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use prost::Message as _;
use prost_types::FileDescriptorSet;

use crate::{tell, workspace};

const OUTPUT: &str = "crates/proto/src/generated";
const INCLUDES: [&str; 2] = ["proto", "third_party/googleapis"];
const CRD: &str = "deploy/kustomize/base/crd/functions.eventflow.io.yaml";
const CRD_HEAD: &str = "# Generated from crates/crd by `cargo xtask codegen`. Do not edit.\n";
const DESCRIPTOR: &str = "descriptor.bin";
/// What only our own processes say to each other: in no reflection, no REST and no OpenAPI.
const INTERNAL: &str = "proto/eventflow/internal";

/// Generates into the source tree.
pub(crate) fn write() -> Result<()> {
    let root = workspace::root()?;
    let output = root.join(OUTPUT);
    if output.exists() {
        fs::remove_dir_all(&output).with_context(|| format!("failed to clear {}", output.display()))?;
    }
    let count = generate(&root, &output)?;
    let crd = root.join(CRD);
    if let Some(folder) = crd.parent() {
        fs::create_dir_all(folder).with_context(|| format!("failed to make {}", folder.display()))?;
    }
    fs::write(&crd, definition()?).with_context(|| format!("failed to write {CRD}"))?;
    tell(&format!("codegen: {count} files in {OUTPUT}, and {CRD}"));
    Ok(())
}

/// Generates into a temporary folder and compares it with the source tree.
pub(crate) fn check() -> Result<()> {
    let root = workspace::root()?;
    let fresh = tempfile::tempdir().context("failed to make a temporary folder")?;
    generate(&root, fresh.path())?;
    let differences = differences(&contents(&root.join(OUTPUT))?, &contents(fresh.path())?);
    for difference in &differences {
        tell(&format!("{OUTPUT}/{difference}"));
    }
    if !differences.is_empty() {
        bail!("generated code is not what proto/ yields: run `cargo xtask codegen` and commit the result");
    }
    if fs::read_to_string(root.join(CRD)).ok() != Some(definition()?) {
        bail!("{CRD} is not what crates/crd yields: run `cargo xtask codegen` and commit the result");
    }
    tell("codegen: up to date");
    Ok(())
}

/// The definition of the custom resource, as committed.
fn definition() -> Result<String> {
    Ok(format!("{CRD_HEAD}{}", eventflow_crd::definition_yaml().context("failed to write the definition")?))
}

/// Generates everything into `output`; returns the number of files.
fn generate(root: &Path, output: &Path) -> Result<usize> {
    let protos = workspace::files(&root.join("proto"), &["proto"])?;
    if protos.is_empty() {
        bail!("there are no .proto files under proto/");
    }
    fs::create_dir_all(output).with_context(|| format!("failed to make {}", output.display()))?;

    let internal = root.join(INTERNAL);
    let public: Vec<_> = protos.iter().filter(|proto| !proto.starts_with(&internal)).cloned().collect();
    let path = output.join(DESCRIPTOR);
    fs::write(&path, compile(root, &public)?)
        .with_context(|| format!("failed to write {}", path.display()))?;

    let all = compile(root, &protos)?;
    let set = FileDescriptorSet::decode(all.as_slice()).context("failed to read the descriptor set back")?;
    tonic_prost_build::configure()
        .bytes(".")
        .emit_rerun_if_changed(false)
        .out_dir(output)
        .compile_fds(set)
        .context("failed to generate Rust code")?;
    Ok(contents(output)?.len())
}

/// The encoded descriptors of these files and of what they import.
fn compile(root: &Path, protos: &[PathBuf]) -> Result<Vec<u8>> {
    let mut compiler = protox::Compiler::new(INCLUDES.map(|folder| root.join(folder)))
        .context("failed to set the import folders")?;
    compiler.include_source_info(true).include_imports(true);
    for proto in protos {
        compiler.open_file(proto).with_context(|| format!("failed to compile {}", proto.display()))?;
    }
    // Encoded by protox itself: through prost-types the google.api.http options would be lost.
    Ok(compiler.encode_file_descriptor_set())
}

/// File name to content, for all files of the folder.
fn contents(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    workspace::files(folder, &["rs", "bin"])?
        .into_iter()
        .map(|path| {
            let bytes = fs::read(&path).with_context(|| format!("failed to read {}", path.display()))?;
            let name = path.strip_prefix(folder).unwrap_or(&path).to_path_buf();
            Ok((name, bytes))
        })
        .collect()
}

/// One line for each file that is missing, differs or should not be there.
fn differences(committed: &BTreeMap<PathBuf, Vec<u8>>, fresh: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, bytes) in fresh {
        match committed.get(name) {
            None => lines.push(format!("{}: is missing", name.display())),
            Some(old) if old != bytes => lines.push(format!("{}: differs", name.display())),
            Some(_) => {}
        }
    }
    for name in committed.keys().filter(|name| !fresh.contains_key(*name)) {
        lines.push(format!("{}: is no longer generated", name.display()));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> BTreeMap<PathBuf, Vec<u8>> {
        files.iter().map(|(name, text)| (PathBuf::from(name), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn missing_changed_and_superfluous_files_are_each_named() {
        let committed = folder(&[("same.rs", "a"), ("changed.rs", "old"), ("gone.rs", "x")]);
        let fresh = folder(&[("same.rs", "a"), ("changed.rs", "new"), ("new.rs", "y")]);
        assert_eq!(
            differences(&committed, &fresh),
            ["changed.rs: differs", "new.rs: is missing", "gone.rs: is no longer generated"]
        );
    }

    #[test]
    fn the_descriptor_keeps_the_http_options() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let proto = root.path().join("proto/t.proto");
        fs::create_dir_all(root.path().join("proto")).expect("a folder");
        let vendored = workspace::root().expect("the root").join("third_party/googleapis/google/api");
        let api = root.path().join("third_party/googleapis/google/api");
        fs::create_dir_all(&api).expect("a folder");
        for name in ["annotations.proto", "http.proto"] {
            fs::copy(vendored.join(name), api.join(name)).expect("a copy");
        }
        let source = r#"syntax = "proto3"; package t; import "google/api/annotations.proto";
            message M { bytes b = 1; }
            service S { rpc Do(M) returns (M) { option (google.api.http) = {post: "/v1/find-me"}; } }"#;
        fs::write(&proto, source).expect("a proto file");

        let output = root.path().join("out");
        generate(root.path(), &output).expect("generated");

        let descriptor = fs::read(output.join(DESCRIPTOR)).expect("the descriptor");
        assert!(
            descriptor.windows(11).any(|bytes| bytes == b"/v1/find-me"),
            "the path of the option is lost"
        );
        let rust = fs::read_to_string(output.join("t.rs")).expect("the code");
        assert!(rust.contains("::prost::bytes::Bytes"), "payloads are shared, not copied");
    }
}
