//! Functions and their versions as rows.

use super::cells::Cells;
use super::fault::{Fault, Outcome};
use super::record::{read_key, read_uid};
use eventflow_domain::ports::FunctionRow;
use eventflow_domain::spec::Image;
use eventflow_domain::{Error, ErrorKind, FunctionSpec, FunctionVersion, Timestamp, VersionNumber};
use std::sync::Arc;

/// What [`read_function`] reads.
macro_rules! function_select {
    ($tail:literal) => {
        concat!(
            "SELECT namespace, name, uid, generation, version, spec, paused, deleting, created_at, updated_at ",
            "FROM functions ",
            $tail
        )
    };
}
pub(crate) use function_select;

/// What [`read_version`] reads.
macro_rules! version_select {
    ($tail:literal) => {
        concat!(
            "SELECT uid, number, namespace, name, spec, created_at, created_by FROM versions WHERE uid = $1 ",
            $tail
        )
    };
}

pub(crate) const PUT: &str = "INSERT INTO functions (namespace, name, uid, generation, version, spec, paused, deleting, \
    created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
    ON CONFLICT (namespace, name) DO UPDATE SET uid = $3, generation = $4, version = $5, spec = $6, paused = $7, \
    deleting = $8, created_at = $9, updated_at = $10";
pub(crate) const PUT_VERSION: &str = "INSERT INTO versions (uid, number, namespace, name, spec, blob, created_at, created_by) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
pub(crate) const REMOVE: &str = "DELETE FROM functions WHERE namespace = $1 AND name = $2 AND uid = $3";
pub(crate) const LIST: &str = function_select!("ORDER BY namespace, name");
pub(crate) const LAST: &str = "SELECT last FROM numbering WHERE namespace = $1 AND name = $2";
pub(crate) const VERSION: &str = version_select!("AND number = $2");
pub(crate) const VERSIONS: &str = version_select!("ORDER BY number DESC");

pub(crate) fn to_json(spec: &FunctionSpec) -> Outcome<String> {
    serde_json::to_string(spec).map_err(|cause| Fault::Refused(Error::internal("store the spec", cause)))
}

fn read_spec(text: &str) -> Outcome<Arc<FunctionSpec>> {
    serde_json::from_str(text).map(Arc::new).map_err(|cause| Fault::corrupt("spec", cause))
}

/// Reads a row of [`function_select`].
pub(crate) fn read_function(row: &impl Cells) -> Outcome<FunctionRow> {
    Ok(FunctionRow {
        key: read_key(row.text(0)?, row.text(1)?)?,
        uid: read_uid(row.bytes(2)?)?,
        generation: row.int(3)?,
        version: VersionNumber(row.number(4)?),
        spec: read_spec(row.text(5)?)?,
        paused: row.flag(6)?,
        deleting: row.flag(7)?,
        created_at: Timestamp::from_micros(row.int(8)?),
        updated_at: Timestamp::from_micros(row.int(9)?),
    })
}

/// Reads a row of [`version_select`].
pub(crate) fn read_version(row: &impl Cells) -> Outcome<FunctionVersion> {
    Ok(FunctionVersion {
        uid: read_uid(row.bytes(0)?)?,
        number: VersionNumber(row.number(1)?),
        key: read_key(row.text(2)?, row.text(3)?)?,
        spec: read_spec(row.text(4)?)?,
        created_at: Timestamp::from_micros(row.int(5)?),
        created_by: row.text(6)?.to_owned(),
    })
}

/// The blob that a version names.
pub(crate) fn blob(version: &FunctionVersion) -> Option<String> {
    match &version.spec.image {
        Some(Image::Artifact(digest)) => Some(format!("artifacts/{}", digest.hex())),
        _ => None,
    }
}

/// Refuses where the stored generation is not the expected one.
pub(crate) fn unchanged(row: &FunctionRow, found: i64, expected: i64) -> Outcome<()> {
    if found == expected {
        return Ok(());
    }
    let message = format!("function {:?} was changed meanwhile", row.key.name);
    let error = Error::new(ErrorKind::VersionConflict, "VersionConflict", message);
    Err(error.with_metadata("generation", found).into())
}
