//! Secrets and configs as rows.

use super::cells::Cells;
use super::fault::{Fault, Outcome};
use eventflow_domain::ports::{ConfigEntry, ConfigKind};
use eventflow_domain::{EnvName, Namespace, Timestamp};
use std::collections::BTreeMap;

pub(crate) const PUT: &str = "INSERT INTO configs (kind, namespace, name, data, updated_at) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (kind, namespace, name) DO UPDATE SET data = $4, updated_at = $5";
pub(crate) const GET: &str = "SELECT data FROM configs WHERE kind = $1 AND namespace = $2 AND name = $3";
pub(crate) const LIST: &str =
    "SELECT name, data, updated_at FROM configs WHERE kind = $1 AND namespace = $2 ORDER BY name";
pub(crate) const DELETE: &str = "DELETE FROM configs WHERE kind = $1 AND namespace = $2 AND name = $3";

pub(crate) fn read_data(json: &str) -> Outcome<BTreeMap<EnvName, String>> {
    // The cause names a position, never a value.
    serde_json::from_str(json).map_err(|cause| Fault::corrupt("config", cause))
}

/// Reads name, data, updated_at.
pub(crate) fn read_entry(row: &impl Cells, kind: ConfigKind, namespace: &Namespace) -> Outcome<ConfigEntry> {
    Ok(ConfigEntry {
        kind,
        namespace: namespace.clone(),
        name: row.text(0)?.parse().map_err(|cause| Fault::corrupt("config name", cause))?,
        keys: read_data(row.text(1)?)?.into_keys().collect(),
        updated_at: Timestamp::from_micros(row.int(2)?),
    })
}
