//! What goes wrong inside the adapter, and what of it the caller is told.

use eventflow_domain::{Error, ErrorKind};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The answer to the caller; the database is well.
    #[error(transparent)]
    Refused(#[from] Error),
    #[error("failed to read or write the database")]
    Db(#[from] sqlx::Error),
    /// A stored value that this program cannot have written.
    #[error("the record holds an unreadable {what}")]
    Corrupt {
        what: &'static str,
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

pub(super) type Outcome<T> = Result<T, Fault>;

impl Fault {
    pub(super) fn corrupt(
        what: &'static str,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Corrupt { what, cause: cause.into() }
    }

    /// Whether the command alone is at fault, so that the rest of its transaction may go on.
    pub(super) fn is_alone(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Corrupt { .. } => true,
            Self::Db(error) => is_constraint(error),
        }
    }
}

/// A rule of the schema was broken: the row is bad, the database is well.
pub(super) fn is_constraint(error: &sqlx::Error) -> bool {
    const SQLITE_CONSTRAINT: i32 = 19;
    // The low byte of SQLite's extended codes is the primary one.
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .and_then(|code| code.parse::<i32>().ok())
        .is_some_and(|code| code & 0xff == SQLITE_CONSTRAINT)
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(error) => error,
            Fault::Db(error) if is_constraint(&error) => Self::new(
                ErrorKind::Internal,
                "Internal",
                "failed to store: the record breaks a rule of the schema",
            )
            .with_cause(error),
            Fault::Db(error) => Self::unavailable("the record cannot be reached now").with_cause(error),
            corrupt @ Fault::Corrupt { .. } => Self::internal("read the record", corrupt),
        }
    }
}
