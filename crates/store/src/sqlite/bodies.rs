//! Payloads and results that are too large for the row, and too small for the blob store.

use super::fault::Outcome;
use super::record::{Record, id_bytes};
use super::writer::Tx;
use eventflow_domain::{Body, Bytes, InvocationId};
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

/// Larger bodies go to a table of their own, so that a change of state does not rewrite them.
const IN_ROW: usize = 512;

pub(super) const PAYLOAD: i64 = 0;
pub(super) const RESULT: i64 = 1;

const BODY: &str = "INSERT OR REPLACE INTO bodies (invocation, part, bytes) VALUES ($1, $2, $3)";

const OF_CALL: &str = "SELECT part, bytes FROM bodies WHERE invocation = $1";

impl Record {
    /// Reads the bodies that lie apart.
    pub(super) async fn hydrate(&mut self, conn: &mut SqliteConnection) -> Outcome<()> {
        if self.apart == [false, false] {
            return Ok(());
        }
        let rows = sqlx::query(OF_CALL).bind(id_bytes(self.invocation.id)).fetch_all(conn).await?;
        self.apart = [false, false];
        for row in rows {
            let body = Body::Inline(Bytes::from(row.try_get::<Vec<u8>, _>(1)?));
            match row.try_get::<i64, _>(0)? {
                PAYLOAD => self.invocation.payload.body = body,
                _ => self.invocation.result.body = body,
            }
        }
        Ok(())
    }
}

/// The bytes that are kept in `bodies` instead of the row.
pub(super) fn body_apart(body: &Body) -> Option<&Bytes> {
    match body {
        Body::Inline(bytes) if bytes.len() > IN_ROW => Some(bytes),
        _ => None,
    }
}

/// Writes a body that is too large for the row.
pub(super) async fn put_body(tx: &mut Tx, id: InvocationId, part: i64, body: &Body) -> Outcome<()> {
    let Some(bytes) = body_apart(body) else {
        return Ok(());
    };
    sqlx::query(BODY).bind(id_bytes(id)).bind(part).bind(bytes.to_vec()).execute(&mut tx.conn).await?;
    Ok(())
}
