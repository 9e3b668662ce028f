//! What an apply comes to: pure, so that every rule of numbering is in one place and tested without a store.

use eventflow_domain::ports::{Apply, Precondition};
use eventflow_domain::{
    Error, ErrorKind, Function, FunctionUid, FunctionVersion, Manager, Readiness, Result, Timestamp,
    VersionNumber,
};
use std::sync::Arc;

#[derive(Debug)]
pub(crate) enum Plan {
    /// What is wanted is there.
    Unchanged(Arc<Function>),
    /// To be stored over generation `function.generation - 1`, with the version if the code is new.
    Write { function: Box<Function>, version: Option<FunctionVersion> },
}

/// `last` is the highest version number that the name ever had.
pub(crate) fn apply(
    apply: &Apply,
    current: Option<Arc<Function>>,
    last: VersionNumber,
    now: Timestamp,
) -> Result<Plan> {
    check(apply, current.as_deref())?;
    let Some(current) = current else {
        return Ok(create(apply, last.next(), now));
    };
    expect_alive(&current)?;
    if *current.spec == apply.spec {
        return Ok(Plan::Unchanged(current));
    }
    let mut function = Function {
        generation: current.generation + 1,
        spec: Arc::new(apply.spec.clone()),
        updated_at: now,
        ..Function::clone(&current)
    };
    if current.spec.same_code(&apply.spec) {
        return Ok(Plan::Write { function: Box::new(function), version: None });
    }
    function.version = last.next();
    // What was said of the old code says nothing of the new.
    function.readiness = Readiness::default();
    let version = Some(version_of(&function, apply, now));
    Ok(Plan::Write { function: Box::new(function), version })
}

fn create(apply: &Apply, number: VersionNumber, now: Timestamp) -> Plan {
    let function = Function {
        key: apply.key.clone(),
        uid: FunctionUid::generate(),
        generation: 1,
        version: number,
        spec: Arc::new(apply.spec.clone()),
        paused: false,
        deleting: false,
        readiness: Readiness::default(),
        created_at: now,
        updated_at: now,
        managed_by: Manager::Api,
    };
    let version = Some(version_of(&function, apply, now));
    Plan::Write { function: Box::new(function), version }
}

fn version_of(function: &Function, apply: &Apply, now: Timestamp) -> FunctionVersion {
    FunctionVersion {
        key: function.key.clone(),
        uid: function.uid,
        number: function.version,
        spec: Arc::clone(&function.spec),
        created_at: now,
        created_by: apply.by.as_ref().to_owned(),
    }
}

pub(crate) fn check(apply: &Apply, current: Option<&Function>) -> Result<()> {
    match (&apply.precondition, current) {
        (Precondition::None, _) | (Precondition::Absent, None) => Ok(()),
        (Precondition::Absent, Some(current)) => Err(already_exists(current)),
        (Precondition::Etag(etag), Some(current)) => expect_etag(current, etag),
        (Precondition::Etag(_), None) => Err(Error::new(
            ErrorKind::PreconditionFailed,
            "PreconditionFailed",
            format!("function {:?} does not exist, so it has no etag", apply.key.name),
        )),
    }
}

fn already_exists(current: &Function) -> Error {
    let text = format!("function {:?} exists already, at version {}", current.key.name, current.version);
    Error::new(ErrorKind::AlreadyExists, "FunctionAlreadyExists", text)
        .with_metadata("version", current.version)
        .with_metadata("etag", current.etag())
}

/// `PreconditionFailed` unless the function has this etag.
pub(crate) fn expect_etag(current: &Function, etag: &str) -> Result<()> {
    let is = current.etag();
    if is == etag {
        return Ok(());
    }
    let text = format!("function {:?} was changed meanwhile; read it again", current.key.name);
    Err(Error::new(ErrorKind::PreconditionFailed, "PreconditionFailed", text).with_metadata("etag", is))
}

/// `WrongState` while the function is being deleted.
pub(crate) fn expect_alive(current: &Function) -> Result<()> {
    if !current.deleting {
        return Ok(());
    }
    let text = format!("function {:?} is being deleted", current.key.name);
    Err(Error::new(ErrorKind::WrongState, "FunctionDeleting", text))
}
