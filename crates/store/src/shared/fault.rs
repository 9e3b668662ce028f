//! What goes wrong inside the adapter, and what of it the caller is told.

use eventflow_domain::error::Chain;
use eventflow_domain::{Error, ErrorKind};
use sqlx::postgres::PgDatabaseError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The answer to the caller; the database is well.
    #[error(transparent)]
    Refused(#[from] Error),
    #[error("failed to read or write the database")]
    Db(#[from] sqlx::Error),
    /// It may have been done or not.
    #[error("the database did not answer in time")]
    Late,
    /// A stored value that this program cannot have written.
    #[error("the record holds an unreadable {what}")]
    Corrupt {
        what: &'static str,
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

pub(crate) type Outcome<T> = Result<T, Fault>;

impl Fault {
    pub(crate) fn corrupt(
        what: &'static str,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Corrupt { what, cause: cause.into() }
    }

    /// The same fault told to each caller of a group.
    pub(crate) fn to_all(&self) -> Error {
        Error::unavailable("the record cannot be written now").with_cause(Chain(self).to_string())
    }

    /// Whether the command alone is at fault, so that the rest of its transaction may go on.
    pub(crate) fn is_alone(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Corrupt { .. } => true,
            Self::Db(error) => is_constraint(error),
            Self::Late => false,
        }
    }
}

/// A rule of the schema was broken: the row is bad, the database is well.
pub(crate) fn is_constraint(error: &sqlx::Error) -> bool {
    const SQLITE_CONSTRAINT: i32 = 19;
    let Some(error) = error.as_database_error() else {
        return false;
    };
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<PgDatabaseError>().is_some() {
        // Data exceptions, integrity violations, and what a trigger raises.
        return code.starts_with("22") || code.starts_with("23") || code == "P0001";
    }
    // The low byte of SQLite's extended codes is the primary one.
    code.parse::<i32>().is_ok_and(|code| code & 0xff == SQLITE_CONSTRAINT)
}

/// A text with a NUL, which PostgreSQL cannot keep: the input is bad.
fn is_untextual(error: &sqlx::Error) -> bool {
    const CHARACTER_NOT_IN_REPERTOIRE: &str = "22021";
    error
        .as_database_error()
        .is_some_and(|error| error.code().as_deref() == Some(CHARACTER_NOT_IN_REPERTOIRE))
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(error) => error,
            Fault::Db(error) if is_untextual(&error) => {
                Self::invalid("text", "must not contain a NUL character").with_cause(error)
            }
            Fault::Db(error) if is_constraint(&error) => Self::new(
                ErrorKind::Internal,
                "Internal",
                "failed to store: the record breaks a rule of the schema",
            )
            .with_cause(error),
            Fault::Db(error) => Self::unavailable("the record cannot be reached now").with_cause(error),
            late @ Fault::Late => Self::unavailable("the record did not answer in time").with_cause(late),
            corrupt @ Fault::Corrupt { .. } => Self::internal("read the record", corrupt),
        }
    }
}
