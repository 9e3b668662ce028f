//! The arrows between the rooms: domain knows nobody, crates do not know services, services do not know each other.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use anyhow::{Context as _, Result};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};

use super::{Problem, relative};

const DOMAIN: &str = "eventflow-domain";
/// Transports, databases, brokers, clusters and the executor: what the domain must not reach, at any distance.
const FAR_FROM_DOMAIN: [&str; 13] = [
    "async-nats",
    "axum",
    "bollard",
    "hyper",
    "k8s-openapi",
    "kube",
    "object_store",
    "prost",
    "reqwest",
    "sqlx",
    "tokio",
    "tonic",
    "wasmtime",
];

pub(super) fn check(root: &Path) -> Result<Vec<Problem>> {
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .other_options(["--locked".to_owned()])
        .exec()
        .context("failed to read the workspace's metadata")?;
    let mut problems = between_rooms(root, &metadata);
    problems.extend(below_domain(root, &metadata)?);
    Ok(problems)
}

/// Direct dependencies between members; tests may not cross the lines either.
fn between_rooms(root: &Path, metadata: &Metadata) -> Vec<Problem> {
    let members = metadata.workspace_packages();
    let rooms: BTreeMap<&str, String> =
        members.iter().map(|package| (package.name.as_str(), manifest(root, package))).collect();
    let mut problems = Vec::new();
    for package in &members {
        let Some(from) = rooms.get(package.name.as_str()) else { continue };
        for dependency in &package.dependencies {
            let Some(to) = rooms.get(dependency.name.as_str()) else { continue };
            if let Some(rule) = broken_rule(from, to) {
                problems.push(Problem::new(from, format!("depends on {}: {rule}", dependency.name)));
            }
        }
    }
    problems
}

/// The rule that an arrow between two manifests breaks.
fn broken_rule(from: &str, to: &str) -> Option<&'static str> {
    let service = |path: &str| path.starts_with("services/");
    if from.starts_with("crates/") && !to.starts_with("crates/") {
        Some("crates know only crates")
    } else if service(from) && service(to) && from != to {
        Some("services do not know each other")
    } else if (service(from) || from.starts_with("gateway/")) && to.starts_with("cli/") {
        Some("only the binary knows them all")
    } else {
        None
    }
}

/// Everything that the domain's normal dependencies reach.
fn below_domain(root: &Path, metadata: &Metadata) -> Result<Vec<Problem>> {
    let domain = metadata
        .packages
        .iter()
        .find(|package| package.name == DOMAIN)
        .context("there is no eventflow-domain")?;
    let resolve = metadata.resolve.as_ref().context("cargo metadata resolved nothing")?;
    let names: HashMap<&PackageId, &str> =
        metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
    let arrows: HashMap<&str, Vec<&str>> = resolve
        .nodes
        .iter()
        .map(|node| {
            let normal = node
                .deps
                .iter()
                .filter(|to| to.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal))
                .filter_map(|to| names.get(&to.pkg).copied());
            (names.get(&node.id).copied().unwrap_or_default(), normal.collect())
        })
        .collect();
    let place = manifest(root, domain);
    Ok(forbidden(&arrows, DOMAIN, &FAR_FROM_DOMAIN)
        .into_iter()
        .map(|path| Problem::new(&place, format!("the domain reaches {path}")))
        .collect())
}

/// For each unwanted package that can be reached: the way to it, as `a -> b -> c`.
fn forbidden(arrows: &HashMap<&str, Vec<&str>>, from: &str, unwanted: &[&str]) -> Vec<String> {
    let mut seen = BTreeSet::from([from.to_owned()]);
    let mut open = vec![(from.to_owned(), from.to_owned())];
    let mut found = Vec::new();
    while let Some((name, way)) = open.pop() {
        for to in arrows.get(name.as_str()).into_iter().flatten() {
            let way = format!("{way} -> {to}");
            if unwanted.contains(to) {
                found.push(way);
            } else if seen.insert((*to).to_owned()) {
                open.push(((*to).to_owned(), way));
            }
        }
    }
    found.sort();
    found
}

fn manifest(root: &Path, package: &Package) -> String {
    relative(root, package.manifest_path.as_std_path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_an_unwanted_package_is_told() {
        let arrows = HashMap::from([
            ("domain", vec!["serde", "helper"]),
            ("helper", vec!["deep"]),
            ("deep", vec!["tokio", "helper"]),
        ]);
        assert_eq!(forbidden(&arrows, "domain", &["tokio"]), ["domain -> helper -> deep -> tokio"]);
        assert!(forbidden(&arrows, "domain", &["axum"]).is_empty());
    }

    #[test]
    fn crates_know_only_crates_and_services_not_each_other() {
        for (from, to, broken) in [
            ("crates/bus/Cargo.toml", "crates/domain/Cargo.toml", false),
            ("crates/bus/Cargo.toml", "services/api/Cargo.toml", true),
            ("crates/bus/Cargo.toml", "gateway/Cargo.toml", true),
            ("services/api/Cargo.toml", "services/dispatcher/Cargo.toml", true),
            ("services/api/Cargo.toml", "gateway/Cargo.toml", false),
            ("services/api/Cargo.toml", "cli/Cargo.toml", true),
            ("cli/Cargo.toml", "services/api/Cargo.toml", false),
        ] {
            assert_eq!(broken_rule(from, to).is_some(), broken, "{from} -> {to}");
        }
    }
}
