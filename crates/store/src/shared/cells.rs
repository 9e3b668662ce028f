//! Columns of a row, whichever database it came from.

use super::fault::{Fault, Outcome};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, ValueRef as _};

/// Columns by their place. A wrong place or type is an error, never a wrong value.
pub(crate) trait Cells {
    fn maybe_int(&self, at: usize) -> Outcome<Option<i64>>;
    fn maybe_text(&self, at: usize) -> Outcome<Option<&str>>;
    fn maybe_bytes(&self, at: usize) -> Outcome<Option<&[u8]>>;

    fn int(&self, at: usize) -> Outcome<i64> {
        there(self.maybe_int(at)?, at)
    }

    fn text(&self, at: usize) -> Outcome<&str> {
        there(self.maybe_text(at)?, at)
    }

    fn bytes(&self, at: usize) -> Outcome<&[u8]> {
        there(self.maybe_bytes(at)?, at)
    }

    fn flag(&self, at: usize) -> Outcome<bool> {
        Ok(self.int(at)? != 0)
    }

    fn number<T: TryFrom<i64>>(&self, at: usize) -> Outcome<T> {
        self.int(at)?.try_into().map_err(|_| Fault::corrupt("number", format!("column {at}")))
    }

    fn maybe_number<T: TryFrom<i64>>(&self, at: usize) -> Outcome<Option<T>> {
        let value = self.maybe_int(at)?.map(T::try_from).transpose();
        value.map_err(|_| Fault::corrupt("number", format!("column {at}")))
    }
}

fn there<T>(value: Option<T>, at: usize) -> Outcome<T> {
    value.ok_or_else(|| Fault::corrupt("column", format!("column {at} is NULL")))
}

impl Cells for SqliteRow {
    fn maybe_int(&self, at: usize) -> Outcome<Option<i64>> {
        Ok(self.try_get(at)?)
    }

    // A body's column holds bytes or the key of a blob.
    fn maybe_text(&self, at: usize) -> Outcome<Option<&str>> {
        Ok(self.try_get_unchecked(at)?)
    }

    fn maybe_bytes(&self, at: usize) -> Outcome<Option<&[u8]>> {
        Ok(self.try_get_unchecked(at)?)
    }

    fn flag(&self, at: usize) -> Outcome<bool> {
        Ok(self.try_get(at)?)
    }
}

/// Rows of prepared statements, whose values come in binary.
impl Cells for PgRow {
    fn maybe_int(&self, at: usize) -> Outcome<Option<i64>> {
        let Some(bytes) = self.maybe_bytes(at)? else {
            return Ok(None);
        };
        // bigint, integer, smallint, boolean.
        let value = match bytes.len() {
            8 => bytes.try_into().ok().map(i64::from_be_bytes),
            4 => bytes.try_into().ok().map(i32::from_be_bytes).map(i64::from),
            2 => bytes.try_into().ok().map(i16::from_be_bytes).map(i64::from),
            _ => bytes.first().copied().map(i64::from),
        };
        let value = value.ok_or_else(|| Fault::corrupt("number", format!("column {at} is empty")))?;
        Ok(Some(value))
    }

    fn maybe_text(&self, at: usize) -> Outcome<Option<&str>> {
        let text = self.maybe_bytes(at)?.map(str::from_utf8).transpose();
        text.map_err(|cause| Fault::corrupt("text", cause))
    }

    fn maybe_bytes(&self, at: usize) -> Outcome<Option<&[u8]>> {
        let value = self.try_get_raw(at)?;
        if value.is_null() {
            return Ok(None);
        }
        value.as_bytes().map(Some).map_err(|cause| Fault::corrupt("column", cause))
    }
}
