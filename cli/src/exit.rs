//! How a command ends: exit codes by sysexits.h, and one line that says what to do next.

use eventflow_proto::status::Problem;
use std::fmt;
use std::process::ExitCode;
use tonic::{Code, Status};

/// Why a command failed, and the exit code that tells scripts.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// The function, or the request, failed.
    pub(crate) const FAILED: u8 = 1;
    /// The input is not what it should be (EX_DATAERR).
    pub(crate) const DATA: u8 = 65;
    /// A file is not there (EX_NOINPUT).
    pub(crate) const NO_INPUT: u8 = 66;
    /// The server does not answer (EX_UNAVAILABLE).
    pub(crate) const UNAVAILABLE: u8 = 69;
    /// A file could not be written (EX_CANTCREAT).
    pub(crate) const CANNOT_CREATE: u8 = 73;
    /// Not logged in, or not allowed (EX_NOPERM).
    pub(crate) const NO_PERMISSION: u8 = 77;
    /// The configuration is bad (EX_CONFIG).
    pub(crate) const CONFIG: u8 = 78;
    /// Ended by Ctrl-C.
    pub(crate) const INTERRUPTED: u8 = 130;

    pub(crate) fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }

    /// Whether there is something to say.
    pub(crate) fn message(&self) -> Option<&str> {
        Some(self.message.as_str()).filter(|message| !message.is_empty())
    }

    /// An answer of the server.
    pub(crate) fn from_status(url: &str, status: &Status) -> Self {
        let problem = Problem::from(status);
        let transport = problem.reason.is_empty();
        match status.code() {
            Code::Unauthenticated => Self::new(Self::NO_PERMISSION, not_logged_in(url)),
            Code::PermissionDenied => Self::new(Self::NO_PERMISSION, problem.message),
            Code::Unavailable if transport => Self::new(Self::UNAVAILABLE, unreachable(url, &causes(status))),
            // A port that speaks something else than gRPC.
            Code::Unknown | Code::Internal | Code::Cancelled if transport => Self::new(
                Self::UNAVAILABLE,
                format!("{url} did not answer as an EventFlow server: {}", causes(status)),
            ),
            Code::InvalidArgument => Self::new(Self::DATA, violations(&problem)),
            _ => Self::new(Self::FAILED, problem.message),
        }
    }
}

pub(crate) fn not_logged_in(url: &str) -> String {
    format!("not logged in to {url}: run `eventflow login`, or set EVENTFLOW_TOKEN")
}

pub(crate) fn unreachable(url: &str, cause: &str) -> String {
    format!("cannot reach {url}: {cause}\nstart a server with `eventflow dev`, or set EVENTFLOW_URL")
}

/// One line for each bad field.
fn violations(problem: &Problem) -> String {
    match problem.violations.as_slice() {
        [] | [_] => problem.message.clone(),
        many => many.iter().map(|v| format!("{}: {}", v.field, v.description)).collect::<Vec<_>>().join("\n"),
    }
}

/// The innermost cause says most ("connection refused").
pub(crate) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
