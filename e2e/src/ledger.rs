//! What really ran: functions note each start in a file outside of the platform's reach.

use std::io;
use std::path::{Path, PathBuf};

/// A file that functions append a line to when they start: id, attempt, payload.
#[derive(Debug, Clone)]
pub struct Ledger {
    path: PathBuf,
}

/// One start of user code.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Start {
    pub id: String,
    pub attempt: u32,
    pub payload: String,
}

impl Ledger {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Shell words that note the start of a job. The shell writes the line by one append, so none is torn, however
    /// many functions write and whenever they are killed. The payload must be one line.
    pub fn note(&self) -> String {
        format!(
            "read -r payload <\"$EVENTFLOW_PAYLOAD_FILE\"; \
             echo \"$EVENTFLOW_INVOCATION_ID $EVENTFLOW_ATTEMPT $payload\" >>'{}'",
            self.path.display()
        )
    }

    /// All starts so far; an error where a line is not one.
    pub fn starts(&self) -> io::Result<Vec<Start>> {
        match std::fs::read_to_string(&self.path) {
            Ok(text) => text.lines().map(parse).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

fn parse(line: &str) -> io::Result<Start> {
    let mut words = line.splitn(3, ' ');
    let start = (|| {
        let (id, attempt) = (words.next()?.to_owned(), words.next()?.parse().ok()?);
        Some(Start { id, attempt, payload: words.next()?.to_owned() })
    })();
    start.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("not a start: {line:?}")))
}
