use super::{quoted_after, read, rows, sources};
use eventflow_domain::{ErrorKind, Reason};
use eventflow_proto::status::{code, http_status};
use std::collections::{BTreeMap, BTreeSet};

const KINDS: [(&str, ErrorKind); 16] = [
    ("Invalid", ErrorKind::Invalid),
    ("Unauthenticated", ErrorKind::Unauthenticated),
    ("Forbidden", ErrorKind::Forbidden),
    ("NotFound", ErrorKind::NotFound),
    ("AlreadyExists", ErrorKind::AlreadyExists),
    ("VersionConflict", ErrorKind::VersionConflict),
    ("PreconditionFailed", ErrorKind::PreconditionFailed),
    ("WrongState", ErrorKind::WrongState),
    ("KeyReused", ErrorKind::KeyReused),
    ("TooLarge", ErrorKind::TooLarge),
    ("Exhausted", ErrorKind::Exhausted),
    ("Unavailable", ErrorKind::Unavailable),
    ("Deadline", ErrorKind::Deadline),
    ("Cancelled", ErrorKind::Cancelled),
    ("Unimplemented", ErrorKind::Unimplemented),
    ("Internal", ErrorKind::Internal),
];

/// `InvalidArgument` as `INVALID_ARGUMENT`.
fn shouted(code: tonic::Code) -> String {
    let mut out = String::new();
    for c in format!("{code:?}").chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_uppercase());
    }
    out
}

fn first_word(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// Every reason in the sources, with what its row must say of it: gRPC code and HTTP status.
fn reasons() -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let folders = ["crates", "services", "gateway", "cli"];
    for source in folders.into_iter().flat_map(sources) {
        // The table of kinds by their names is no list of reasons.
        let table = source.contains("pub fn code(kind: ErrorKind)");
        for (between, reason) in quoted_after(&source, "ErrorKind::").filter(|_| !table) {
            let kind = KINDS.iter().find(|(name, _)| between.trim_end().strip_suffix(',') == Some(name));
            if let Some((_, kind)) = kind {
                found
                    .entry(reason.to_owned())
                    .or_default()
                    .extend([shouted(code(*kind)), http_status(*kind).to_string()]);
            }
        }
        for (between, reason) in quoted_after(&source, "StatusCode::") {
            let name = first_word(between);
            if between[name.len()..].trim() == "," {
                let status =
                    statuses().get(name).copied().unwrap_or_else(|| panic!("{name} is not known here"));
                found.entry(reason.to_owned()).or_default().insert(status.to_string());
            }
        }
        for (between, reason) in quoted_after(&source, "refuse(")
            .chain(quoted_after(&source, "Problem::new("))
            .chain(quoted_after(&source, "FUNCTION_FAILED: &str ="))
        {
            if between.trim().is_empty() || between.trim() == "status," {
                found.entry(reason.to_owned()).or_default();
            }
        }
        if source.contains("fn default_reason") {
            for (_, reason) in quoted_after(&source, "Code::").filter(|(between, _)| between.contains("=>")) {
                found.entry(reason.to_owned()).or_default();
            }
        }
    }
    found
}

/// The statuses that the gateway answers by itself.
fn statuses() -> BTreeMap<&'static str, u16> {
    BTreeMap::from([
        ("BAD_GATEWAY", 502),
        ("BAD_REQUEST", 400),
        ("FORBIDDEN", 403),
        ("GATEWAY_TIMEOUT", 504),
        ("INTERNAL_SERVER_ERROR", 500),
        ("METHOD_NOT_ALLOWED", 405),
        ("MISDIRECTED_REQUEST", 421),
        ("NOT_FOUND", 404),
        ("PAYLOAD_TOO_LARGE", 413),
        ("REQUEST_HEADER_FIELDS_TOO_LARGE", 431),
        ("REQUEST_TIMEOUT", 408),
        ("SERVICE_UNAVAILABLE", 503),
        ("TOO_MANY_REQUESTS", 429),
        ("UNAUTHORIZED", 401),
        ("UNPROCESSABLE_ENTITY", 422),
        ("UNSUPPORTED_MEDIA_TYPE", 415),
    ])
}

#[test]
fn every_reason_of_the_sources_is_explained_with_its_code_and_status() {
    let page = read("docs/errors.md");
    let (requests, _) = page.split_once("## Why a call failed").expect("two tables");
    let rows = rows(requests);
    let found = reasons();
    assert!(found.len() > 40, "the sources are not read: {found:?}");
    let mut wrong = Vec::new();
    for (reason, must_say) in &found {
        match rows.iter().find(|row| row[0] == *reason) {
            None => wrong.push(format!("{reason} is missing: {must_say:?}")),
            Some(row) => {
                let said: BTreeSet<_> = row[1..3].iter().flat_map(|cell| cell.split(", ")).collect();
                let left: Vec<_> = must_say.iter().filter(|word| !said.contains(word.as_str())).collect();
                if !left.is_empty() {
                    wrong.push(format!("{reason} must say {left:?}"));
                }
            }
        }
    }
    wrong.extend(
        rows.iter().filter(|row| !found.contains_key(&row[0])).map(|row| format!("{} is no reason", row[0])),
    );
    assert!(wrong.is_empty(), "docs/errors.md:\n{}", wrong.join("\n"));
}

#[test]
fn every_reason_of_a_failed_call_is_explained() {
    let page = read("docs/errors.md");
    let (_, calls) = page.split_once("## Why a call failed").expect("two tables");
    let said: BTreeMap<_, _> = rows(calls).into_iter().map(|row| (row[0].clone(), row[2].clone())).collect();
    let reasons: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(said.keys().map(String::as_str).collect::<BTreeSet<_>>(), reasons.into_iter().collect());
    for reason in Reason::ALL.into_iter().filter(|reason| !reason.is_infrastructure()) {
        assert_eq!(said[reason.as_str()] == "yes", reason.retryable(), "{reason}");
    }
}
