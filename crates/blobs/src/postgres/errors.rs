//! From the errors of the database to ours.

use crate::errors::full;
use eventflow_domain::Error;
use sqlx::error::DatabaseError;

/// Of PostgreSQL: `disk_full`.
const FULL: &str = "53100";

pub(super) fn of(error: sqlx::Error) -> Error {
    if error.as_database_error().and_then(DatabaseError::code).is_some_and(|code| code == FULL) {
        return full().with_cause(error);
    }
    Error::unavailable("the blob storage cannot be reached now").with_cause(error)
}

pub(super) fn late() -> Error {
    Error::unavailable("the blob storage did not answer in time")
}
