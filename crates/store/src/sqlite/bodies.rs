//! Payloads and results that are too large for the row, and too small for the blob store.

use super::fault::Outcome;
use super::insert::MultiInsert;
use super::record::{Record, hex_ids, id_bytes, read_id};
use super::writer::Tx;
use eventflow_domain::{Body, Bytes, InvocationId};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Arguments as _, Row as _};
use std::collections::HashMap;
use std::sync::LazyLock;

/// Larger bodies go to a table of their own, so that a change of state does not rewrite them.
const IN_ROW: usize = 512;

pub(super) const PAYLOAD: i64 = 0;
pub(super) const RESULT: i64 = 1;

static BODY: LazyLock<MultiInsert> =
    LazyLock::new(|| MultiInsert::new("INSERT OR REPLACE INTO bodies", "invocation, part, bytes", ""));

const OF_CALL: &str = "SELECT part, bytes FROM bodies WHERE invocation = $1";
const OF_CALLS: &str = "SELECT part, bytes, invocation FROM bodies \
                        WHERE invocation IN (SELECT unhex(value) FROM json_each($1))";

impl Record {
    /// Reads the bodies that lie apart.
    pub(super) async fn hydrate(&mut self, conn: &mut SqliteConnection) -> Outcome<()> {
        if self.apart == [false, false] {
            return Ok(());
        }
        let rows = sqlx::query(OF_CALL).bind(id_bytes(self.invocation.id)).fetch_all(conn).await?;
        self.apart = [false, false];
        rows.iter().try_for_each(|row| self.take_body(row))
    }

    fn take_body(&mut self, row: &SqliteRow) -> Outcome<()> {
        let body = Body::Inline(Bytes::from(row.try_get::<Vec<u8>, _>(1)?));
        match row.try_get::<i64, _>(0)? {
            PAYLOAD => self.invocation.payload.body = body,
            _ => self.invocation.result.body = body,
        }
        Ok(())
    }
}

/// Reads the bodies of all that have some apart.
pub(super) async fn hydrate_all(conn: &mut SqliteConnection, records: Vec<&mut Record>) -> Outcome<()> {
    let apart = records.into_iter().filter(|record| record.apart != [false, false]);
    let mut apart: HashMap<_, _> = apart.map(|record| (record.invocation.id, record)).collect();
    if apart.is_empty() {
        return Ok(());
    }
    let ids = hex_ids(apart.keys().copied());
    for row in sqlx::query(OF_CALLS).bind(ids).fetch_all(conn).await? {
        if let Some(record) = apart.get_mut(&read_id(row.try_get(2)?)?) {
            record.take_body(&row)?;
        }
    }
    for record in apart.into_values() {
        record.apart = [false, false];
    }
    Ok(())
}

/// The bytes that are kept in `bodies` instead of the row.
pub(super) fn body_apart(body: &Body) -> Option<&Bytes> {
    match body {
        Body::Inline(bytes) if bytes.len() > IN_ROW => Some(bytes),
        _ => None,
    }
}

/// Writes those bodies that are too large for their rows.
pub(super) async fn put(
    tx: &mut Tx,
    bodies: impl Iterator<Item = (InvocationId, i64, &Body)> + Send,
) -> Outcome<()> {
    let large: Vec<_> = bodies.filter_map(|(id, part, body)| Some((id, part, body_apart(body)?))).collect();
    BODY.run(&mut tx.conn, &large, |args, (id, part, bytes)| {
        args.add(id_bytes(*id))?;
        args.add(*part)?;
        args.add(bytes.to_vec())
    })
    .await
}
