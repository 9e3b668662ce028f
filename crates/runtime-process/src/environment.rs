//! The environment of a command: an allow-list, what the function declares, and what EventFlow says. Nothing else
//! of the server's environment gets through.

use eventflow_domain::FunctionVersion;
use eventflow_domain::ports::Call;
use std::path::Path;

pub(crate) type Env = Vec<(String, String)>;

/// Common to both modes. Later entries win, so a function may set PATH, and nobody EVENTFLOW_*.
pub(crate) fn of_function(
    base: &[(String, String)],
    declared: &[(String, String)],
    version: &FunctionVersion,
    scratch: &Path,
) -> Env {
    let scratch = scratch.to_string_lossy();
    let mut env: Env = base.to_vec();
    env.extend([pair("HOME", &scratch), pair("TMPDIR", &scratch)]);
    env.extend_from_slice(declared);
    env.extend([
        pair("EVENTFLOW_FUNCTION", version.key.name.as_str()),
        pair("EVENTFLOW_VERSION", &version.number),
    ]);
    env
}

pub(crate) fn of_job(
    base: &[(String, String)],
    call: &Call,
    scratch: &Path,
    payload: &Path,
    result: &Path,
) -> Env {
    let mut env = of_function(base, &call.env, &call.version, scratch);
    env.extend([
        pair("EVENTFLOW_INVOCATION_ID", &call.invocation),
        pair("EVENTFLOW_ATTEMPT", &call.attempt),
        pair("EVENTFLOW_PAYLOAD_FILE", &payload.display()),
        pair("EVENTFLOW_RESULT_FILE", &result.display()),
        pair("TRACEPARENT", &call.trace),
    ]);
    env
}

pub(crate) fn pair(name: &str, value: &(impl ToString + ?Sized)) -> (String, String) {
    (name.to_owned(), value.to_string())
}

/// PATH as the command will see it.
pub(crate) fn path<'a>(base: &'a [(String, String)], declared: &'a [(String, String)]) -> &'a str {
    base.iter().chain(declared).rfind(|(name, _)| name == "PATH").map_or("", |(_, path)| path)
}
