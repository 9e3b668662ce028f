//! What only a pod understands: names and values that a cluster would refuse later, and those that are not the
//! function's to set.

use super::Draft;
use super::fields::{Checker, shown};
use crate::spec::{PodOptions, Toleration};
use std::collections::BTreeMap;

/// Labels and annotations by which EventFlow finds its pods.
const RESERVED: [&str; 2] = ["function", "app.kubernetes.io/managed-by"];
const RESERVED_DOMAIN: &str = "eventflow.io";
/// Annotations that would take a pod's confinement away.
const CONFINEMENT: [&str; 2] =
    ["container.apparmor.security.beta.kubernetes.io", "seccomp.security.alpha.kubernetes.io"];
/// Bytes of annotations in all; a cluster's own limit is 256 KiB, a payload may need 64 KiB of it.
const ANNOTATION_BYTES: usize = 64 << 10;

impl Draft {
    pub(super) fn pod(&self, check: &mut Checker) -> PodOptions {
        const POLICIES: [&str; 3] = ["Always", "IfNotPresent", "Never"];
        if !self.image_pull_policy.is_empty() && !POLICIES.contains(&self.image_pull_policy.as_str()) {
            check.add("imagePullPolicy", "must be Always, IfNotPresent or Never");
        }
        let mut secrets = Vec::new();
        for (i, name) in self.image_pull_secrets.iter().enumerate() {
            secrets.extend(check.name(&format!("imagePullSecrets[{i}]"), name));
        }
        labels(check, "nodeSelector", &self.node_selector);
        labels(check, "labels", &self.labels);
        reserved(check, "labels", &self.labels);
        annotations(check, &self.annotations);
        for (i, toleration) in self.tolerations.iter().enumerate() {
            tolerate(check, &format!("tolerations[{i}]"), toleration);
        }
        PodOptions {
            security: self.pod_security,
            image_pull_secrets: secrets,
            image_pull_policy: Some(self.image_pull_policy.clone()).filter(|policy| !policy.is_empty()),
            node_selector: self.node_selector.clone(),
            tolerations: self.tolerations.clone(),
            labels: self.labels.clone(),
            annotations: self.annotations.clone(),
        }
    }
}

/// At most 63 characters, letters and digits at both ends.
fn is_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let end = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
    text.len() <= 63 && text.bytes().all(inner) && end(text.bytes().next()) && end(text.bytes().last())
}

fn is_key(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => {
            is_name(name)
                && prefix.len() <= 253
                && prefix
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
                && prefix.starts_with(|c: char| c.is_ascii_alphanumeric())
        }
        None => is_name(text),
    }
}

fn keys(check: &mut Checker, field: &str, all: &BTreeMap<String, String>) {
    for key in all.keys().filter(|key| !is_key(key)) {
        check.add(
            format!("{field}.{}", shown(key)),
            "the key must be [prefix/]name: a DNS prefix, and at most 63 letters, digits, '-', '_' and '.'",
        );
    }
}

fn labels(check: &mut Checker, field: &str, all: &BTreeMap<String, String>) {
    keys(check, field, all);
    for (key, _) in all.iter().filter(|(_, value)| !value.is_empty() && !is_name(value)) {
        check.add(
            format!("{field}.{}", shown(key)),
            "the value must have at most 63 letters, digits, '-', '_' and '.', a letter or digit at both ends",
        );
    }
}

fn reserved(check: &mut Checker, field: &str, all: &BTreeMap<String, String>) {
    for key in all.keys() {
        let prefix = key.split_once('/').map_or("", |(prefix, _)| prefix);
        let ours = prefix == RESERVED_DOMAIN || prefix.ends_with(".eventflow.io");
        if ours || RESERVED.contains(&key.as_str()) {
            check.add(
                format!("{field}.{}", shown(key)),
                "is a key that EventFlow sets itself: choose another",
            );
        } else if field == "annotations" && CONFINEMENT.contains(&prefix) {
            check.add(
                format!("{field}.{}", shown(key)),
                "would take the pod's confinement away: leave it out",
            );
        }
    }
}

fn annotations(check: &mut Checker, all: &BTreeMap<String, String>) {
    keys(check, "annotations", all);
    reserved(check, "annotations", all);
    let total: usize = all.iter().map(|(key, value)| key.len() + value.len()).sum();
    if total > ANNOTATION_BYTES {
        check.add("annotations", format!("must have at most {ANNOTATION_BYTES} bytes in all, has {total}"));
    }
}

fn tolerate(check: &mut Checker, field: &str, toleration: &Toleration) {
    let Toleration { key, operator, value, effect, toleration_seconds } = toleration;
    if !matches!(operator.as_str(), "" | "Equal" | "Exists") {
        check.add(format!("{field}.operator"), "must be Equal or Exists");
    }
    if !matches!(effect.as_str(), "" | "NoSchedule" | "PreferNoSchedule" | "NoExecute") {
        check.add(format!("{field}.effect"), "must be NoSchedule, PreferNoSchedule or NoExecute");
    }
    if key.is_empty() && operator != "Exists" {
        check.add(format!("{field}.operator"), "must be Exists where there is no key");
    }
    if !key.is_empty() && !is_key(key) {
        check.add(format!("{field}.key"), "must be [prefix/]name");
    }
    if operator == "Exists" && !value.is_empty() {
        check.add(format!("{field}.value"), "must be absent with operator Exists");
    } else if !value.is_empty() && !is_name(value) {
        check.add(format!("{field}.value"), "must have at most 63 letters, digits, '-', '_' and '.'");
    }
    if toleration_seconds.is_some() && effect != "NoExecute" {
        check.add(format!("{field}.tolerationSeconds"), "is for effect NoExecute only");
    }
}
