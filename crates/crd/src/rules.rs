//! The CEL rules of the schema. Each message says what is allowed, so that `kubectl apply` itself names the fix.
//!
//! Bounds on sizes (`maxLength`, `maxItems`) keep the rules within the API server's cost budget.

use kube::core::{Reason, Rule};

fn rule(rule: &str, message: &str) -> Rule {
    Rule::new(rule).message(message)
}

fn at(path: &str, text: &str, message: &str) -> Rule {
    rule(text, message).field_path(path)
}

pub(crate) fn name() -> Rule {
    rule(
        "size(self.metadata.name) <= 44 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        "metadata.name must have at most 44 characters: lower-case letters, digits and '-', starting with a letter \
         and ending with a letter or a digit",
    )
}

pub(crate) fn one_way_to_scale() -> Rule {
    at(
        ".replicas",
        "!(has(self.replicas) && has(self.scaling))",
        "must not stand beside scaling: remove one of the two (`kubectl scale` is for functions without scaling)",
    )
}

pub(crate) fn no_process() -> Rule {
    at(
        ".runtime",
        "self.runtime != 'process'",
        "process runs on one machine only (`eventflow dev`): in a cluster use container or wasm",
    )
}

pub(crate) fn image() -> Rule {
    at(
        ".image",
        "self.runtime == 'process' || (has(self.image) && size(self.image) > 0)",
        "is required for runtimes container and wasm: an image reference, or artifact@sha256:… for wasm",
    )
    .reason(Reason::FieldValueRequired)
}

pub(crate) fn image_grammar() -> Rule {
    rule(
        r"self == '' || self.matches('^[a-zA-Z0-9][a-zA-Z0-9._/:@-]*$')",
        "must be an image reference such as registry.example/name:tag, or artifact@sha256:…",
    )
}

pub(crate) fn port_is_for_http() -> Rule {
    at(
        ".port",
        "!(has(self.port) && has(self.mode) && self.mode == 'job')",
        "is for mode http; leave it out, or set mode to http",
    )
}

pub(crate) fn min_within_max() -> Rule {
    at(
        ".min",
        "!has(self.max) || self.min <= self.max",
        "must be at most max: lower scaling.min or raise scaling.max",
    )
}

pub(crate) fn min_with_cpu() -> Rule {
    at(
        ".min",
        "!has(self.cpu) || self.min >= 1",
        "must be at least 1 where cpu is set: nothing measures the CPU of no copies",
    )
}

pub(crate) fn one_source() -> Rule {
    rule(
        "has(self.secretRef) != has(self.configMapRef)",
        "must have exactly one of secretRef and configMapRef",
    )
}

pub(crate) fn object_name() -> Rule {
    rule(
        "self.matches('^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$')",
        "must be the name of an object in the function's own namespace: lower-case letters, digits, '-' and '.'",
    )
}

pub(crate) fn env() -> Rule {
    rule(
        "self.all(name, name.matches('^[A-Za-z_][A-Za-z0-9_]*$') && !name.startsWith('EVENTFLOW_') \
         && !(name in ['PORT', 'TRACEPARENT', 'TRACESTATE']))",
        "names must consist of letters, digits and '_', not start with a digit, and not be names that EventFlow sets \
         itself: EVENTFLOW_…, PORT, TRACEPARENT, TRACESTATE",
    )
}

pub(crate) fn all_egress() -> Rule {
    rule(
        "self.all(to, to.matches('^([A-Za-z0-9.-]+|[[][0-9A-Fa-f:.]+[]]):[0-9]{1,5}$'))",
        "each must be host:port, such as api.example.com:443",
    )
}

pub(crate) fn path() -> Rule {
    rule("self == '' || self.matches('^/[!-~]*$')", "must be a path such as /healthz")
}

/// The grammar of durations with its bounds. CEL's own parser knows no days, and taking them apart costs more than the API
/// server allows: bounds of durations in days are the webhook's and the operator's to check.
fn duration(min: &str, max: &str) -> Rule {
    let grammar =
        "self.matches('^([0-9]{1,6}d)?([0-9]{1,8}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?([0-9]{1,12}ms)?$')";
    let bounds = format!("(duration(self) >= duration('{min}') && duration(self) <= duration('{max}'))");
    rule(
        &format!("self == '' || ({grammar} && (self.contains('d') || {bounds}))"),
        &format!(
            "must be a duration such as 30s, 5m or 1h30m (units d, h, m, s, ms, each once and in this order), \
             from {min} to {max}"
        ),
    )
}

pub(crate) fn timeout() -> Rule {
    duration("1s", "24h")
}

pub(crate) fn start_deadline() -> Rule {
    duration("1s", "1h")
}

pub(crate) fn wait() -> Rule {
    duration("1ms", "24h")
}

pub(crate) fn queue_age() -> Rule {
    duration("1s", "720h")
}

pub(crate) fn cpu() -> Rule {
    rule(
        r"self == '' || (self.matches('^([0-9]{1,7}m|[0-9]{1,4}([.][0-9]{1,3})?)$')
         && quantity(self).compareTo(quantity('1m')) >= 0 && quantity(self).compareTo(quantity('256')) <= 0)",
        "must be an amount of CPU such as 250m or 0.5, from 1m to 256",
    )
}

pub(crate) fn memory() -> Rule {
    rule(
        "self == '' || (self.matches('^[0-9]{1,14}(Ki|Mi|Gi|k|M|G)?$')
         && quantity(self).compareTo(quantity('1Mi')) >= 0 && quantity(self).compareTo(quantity('1024Gi')) <= 0)",
        "must be an amount of memory such as 128Mi or 1Gi (units Ki, Mi, Gi, k, M, G), from 1Mi to 1024Gi",
    )
}
