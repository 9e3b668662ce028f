//! One statement for many rows, in one crossing to the database's thread.

use super::fault::Outcome;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use std::sync::Arc;

/// Repetitions in one script, most first. Few sizes, so that their statements stay prepared.
const SIZES: [usize; 3] = [32, 8, 1];

/// A statement, as scripts that repeat it.
///
/// Rows that a script has no use for are left unbound, which SQLite takes as NULL: the statement must change nothing
/// then.
#[derive(Debug)]
pub(super) struct Repeated {
    scripts: [(usize, Arc<str>); 3],
}

impl Repeated {
    /// `sql` has parameters without numbers only.
    pub(super) fn new(sql: &str) -> Self {
        Self { scripts: SIZES.map(|size| (size, vec![sql; size].join(";").into())) }
    }

    /// Runs it for each row. How many rows of the table were changed by all.
    pub(super) async fn run<T: Sync>(
        &self,
        conn: &mut SqliteConnection,
        mut rows: &[T],
        bind: impl Fn(&mut SqliteArguments, &T) -> Result<(), sqlx::error::BoxDynError> + Send + Sync,
    ) -> Outcome<u64> {
        let mut changed = 0;
        while !rows.is_empty() {
            // Half empty is still faster than one by one.
            let script = self.scripts.iter().find(|(size, _)| rows.len() * 2 >= *size);
            let Some((size, sql)) = script else { break };
            let (chunk, rest) = rows.split_at(rows.len().min(*size));
            let mut arguments = SqliteArguments::default();
            for row in chunk {
                bind(&mut arguments, row).map_err(sqlx::Error::Encode)?;
            }
            let done =
                sqlx::query_with(AssertSqlSafe(Arc::clone(sql)), arguments).execute(&mut *conn).await?;
            changed += done.rows_affected();
            rows = rest;
        }
        Ok(changed)
    }
}
