//! Multi-row inserts: one statement, and one crossing to the database's thread, for many rows.

use super::fault::Outcome;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use std::fmt::Write as _;
use std::sync::Arc;

/// Rows in one statement, largest first. Few sizes, so that their statements stay prepared.
const SIZES: [usize; 3] = [32, 8, 1];

/// An insert into one table, as statements of several sizes.
#[derive(Debug)]
pub(super) struct MultiInsert {
    statements: [(usize, Arc<str>); 3],
}

impl MultiInsert {
    /// `head` ends before `VALUES`, `tail` follows the rows (`ON CONFLICT …`).
    pub(super) fn new(head: &str, columns: &str, tail: &str) -> Self {
        let count = columns.split(',').count();
        let row = format!("({})", vec!["?"; count].join(","));
        let statement = |rows: usize| {
            let mut sql = format!("{head} ({columns}) VALUES ");
            for n in 0..rows {
                let comma = if n == 0 { "" } else { "," };
                let _ = write!(sql, "{comma}{row}");
            }
            let _ = write!(sql, " {tail}");
            (rows, sql.into())
        };
        Self { statements: SIZES.map(statement) }
    }

    /// Inserts all rows. An error leaves earlier chunks inserted: the caller is in a transaction or savepoint.
    pub(super) async fn run<T: Sync>(
        &self,
        conn: &mut SqliteConnection,
        rows: &[T],
        bind: impl Fn(&mut SqliteArguments, &T) -> Result<(), sqlx::error::BoxDynError> + Send + Sync,
    ) -> Outcome<()> {
        for chunk in self.chunks(rows) {
            self.run_chunk(conn, chunk, &bind).await?;
        }
        Ok(())
    }

    /// The rows cut as the statements need them.
    pub(super) fn chunks<'r, T>(&self, mut rows: &'r [T]) -> Vec<&'r [T]> {
        let mut chunks = Vec::with_capacity(rows.len() / 8 + 8);
        for (size, _) in &self.statements {
            while let Some((chunk, rest)) =
                rows.split_at_checked(*size).filter(|(chunk, _)| !chunk.is_empty())
            {
                chunks.push(chunk);
                rows = rest;
            }
        }
        chunks
    }

    /// One of [`Self::chunks`]: all of it or nothing.
    pub(super) async fn run_chunk<T: Sync>(
        &self,
        conn: &mut SqliteConnection,
        chunk: &[T],
        bind: impl Fn(&mut SqliteArguments, &T) -> Result<(), sqlx::error::BoxDynError> + Send + Sync,
    ) -> Outcome<()> {
        let Some((_, sql)) = self.statements.iter().find(|(size, _)| *size == chunk.len()) else {
            return Ok(());
        };
        let mut arguments = SqliteArguments::default();
        for row in chunk {
            bind(&mut arguments, row).map_err(sqlx::Error::Encode)?;
        }
        sqlx::query_with(AssertSqlSafe(Arc::clone(sql)), arguments).execute(conn).await?;
        Ok(())
    }
}
