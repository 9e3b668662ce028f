//! Page sizes and page tokens (AIP-158). A token holds where the last page ended and the hash of what was asked,
//! so that it cannot be used for another question.

use eventflow_domain::{Error, Result};
use sha2::{Digest as _, Sha256};

const DEFAULT: i32 = 100;
const MAX: i32 = 1000;

/// Checks a page size: 1 to 1000, 100 where none is given.
pub(crate) fn size(asked: Option<i32>) -> Result<u32> {
    match asked {
        None => Ok(DEFAULT as u32),
        Some(size @ 1..=MAX) => Ok(size as u32),
        Some(size) => Err(Error::invalid("pageSize", format!("must be from 1 to {MAX}, is {size}"))),
    }
}

/// A token that goes on behind `cursor`; `question` is everything that must be asked the same again.
pub(crate) fn token(cursor: &str, question: &str) -> String {
    format!("{}.{}", hex::encode(cursor), fingerprint(cursor, question))
}

/// The cursor of a token; `None` for the first page.
pub(crate) fn cursor(token: &str, question: &str) -> Result<Option<String>> {
    if token.is_empty() {
        return Ok(None);
    }
    let refused =
        || Error::invalid("pageToken", "must be the nextPageToken of the same list, asked the same way");
    let (cursor, found) = token.split_once('.').ok_or_else(refused)?;
    let cursor =
        hex::decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(refused)?;
    if found != fingerprint(&cursor, question) {
        return Err(refused());
    }
    Ok(Some(cursor))
}

fn fingerprint(cursor: &str, question: &str) -> String {
    let digest = Sha256::new().chain_update(cursor).chain_update([0]).chain_update(question).finalize();
    hex::encode(digest.get(..8).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_own_question_only() {
        let given = token("abc", "functions of default");
        assert_eq!(cursor(&given, "functions of default").expect("fine"), Some("abc".to_owned()));
        assert_eq!(cursor("", "x").expect("fine"), None);
        for (token, question) in [(given.as_str(), "other"), ("zz", "x"), ("61.00", "x"), (".", "x")] {
            let refused = cursor(token, question).expect_err(token);
            assert_eq!(refused.field_violations()[0].field, "pageToken");
        }
    }

    #[test]
    fn sizes_out_of_range_are_refused() {
        assert_eq!(size(None).expect("fine"), 100);
        for bad in [0, -1, 1001, i32::MAX] {
            assert!(size(Some(bad)).is_err(), "{bad}");
        }
    }
}
