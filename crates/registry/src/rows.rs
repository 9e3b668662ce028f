//! A function as it is stored, and back.

use eventflow_domain::ports::FunctionRow;
use eventflow_domain::{Function, Manager, Readiness};
use std::sync::Arc;

pub(crate) fn row(function: &Function) -> FunctionRow {
    FunctionRow {
        key: function.key.clone(),
        uid: function.uid,
        generation: function.generation,
        version: function.version,
        spec: Arc::clone(&function.spec),
        paused: function.paused,
        deleting: function.deleting,
        created_at: function.created_at,
        updated_at: function.updated_at,
    }
}

/// Nothing is known yet of its readiness.
pub(crate) fn function(row: FunctionRow) -> Function {
    Function {
        key: row.key,
        uid: row.uid,
        generation: row.generation,
        version: row.version,
        spec: row.spec,
        paused: row.paused,
        deleting: row.deleting,
        readiness: Readiness::default(),
        created_at: row.created_at,
        updated_at: row.updated_at,
        managed_by: Manager::Api,
    }
}
