//! Writes: planned on the object as it is stored, and refused where it was changed meanwhile.

use super::Inner;
use super::refused::{ours, violations};
use crate::plan;
use eventflow_crd::{self as crd, names};
use eventflow_domain::ports::{Applied, Apply};
use eventflow_domain::{Error, ErrorKind, Function, FunctionKey, Result, VersionNumber};
use eventflow_kubernetes::to_domain;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use std::sync::Arc;
use std::time::Duration;

/// Of one write, where another writer is faster each time.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(20);
/// For a pause to be seen.
const SEEN: Duration = Duration::from_secs(5);

fn params(dry_run: bool) -> PostParams {
    PostParams { dry_run, field_manager: Some(names::API.to_owned()) }
}

/// What a write came to, before it was seen.
enum Planned {
    Unchanged,
    Written {
        object: Box<crd::Function>,
        created: bool,
    },
    /// Another writer was first.
    Again,
}

impl Inner {
    pub(super) async fn apply(&self, apply: &Apply) -> Result<Applied> {
        self.check_namespace(&apply.key)?;
        let spec = crd::declare(&apply.spec);
        crd::validate_spec(&spec).map_err(ours)?;
        for attempt in 0..ATTEMPTS {
            match self.apply_once(apply, &spec).await? {
                Planned::Unchanged => {
                    let function = self.current(&apply.key).await?;
                    return Ok(Applied { function, created: false, changed: false });
                }
                Planned::Written { object, created } => {
                    let function = self.result(apply, &object).await?;
                    return Ok(Applied { function, created, changed: true });
                }
                Planned::Again => tokio::time::sleep(PAUSE * attempt.min(10)).await,
            }
        }
        Err(overtaken(&apply.key))
    }

    /// A function in a namespace that is not opted in would be seen by nobody.
    fn check_namespace(&self, key: &FunctionKey) -> Result<()> {
        let namespace = key.namespace.as_str();
        if self.namespaces.has(namespace) {
            return Ok(());
        }
        let text = format!(
            "namespace {namespace} is not enabled: kubectl label namespace {namespace} {}=true",
            names::ENABLED
        );
        Err(Error::new(ErrorKind::WrongState, "NamespaceNotEnabled", text))
    }

    async fn apply_once(&self, apply: &Apply, spec: &crd::FunctionSpec) -> Result<Planned> {
        let api = self.api(&apply.key);
        let current = self.ask("read the function", api.get_opt(apply.key.name.as_str())).await?;
        let declared = current.as_ref().and_then(|object| crd::function(object).ok());
        let shown = current.as_ref().and_then(|object| self.function(object).ok()).map(|(shown, _)| shown);
        plan::check(apply, shown.as_ref().or(declared.as_ref()))?;
        let Some(mut object) = current else { return self.create(apply, spec).await };
        if object.metadata.deletion_timestamp.is_some() {
            return Err(deleting(&apply.key));
        }
        if declared.is_some_and(|function| *function.spec == apply.spec) {
            return Ok(Planned::Unchanged);
        }
        object.spec = spec.clone();
        object.status = None;
        object.metadata.managed_fields = None;
        object.annotations_mut().insert(names::APPLIED_BY.to_owned(), apply.by.to_string());
        let written = api.replace(apply.key.name.as_str(), &params(apply.dry_run), &object).await;
        Self::planned("change the function", written, false)
    }

    async fn create(&self, apply: &Apply, spec: &crd::FunctionSpec) -> Result<Planned> {
        let last = self.store.function_last_version(&apply.key).await?;
        let mut object = crd::Function::new(apply.key.name.as_str(), spec.clone());
        object.metadata.namespace = Some(apply.key.namespace.to_string());
        object.annotations_mut().insert(names::APPLIED_BY.to_owned(), apply.by.to_string());
        if last > VersionNumber(0) {
            object.annotations_mut().insert(names::LAST_VERSION.to_owned(), last.to_string());
        }
        let written = self.api(&apply.key).create(&params(apply.dry_run), &object).await;
        Self::planned("create the function", written, true)
    }

    fn planned(
        doing: &str,
        written: std::result::Result<crd::Function, kube::Error>,
        created: bool,
    ) -> Result<Planned> {
        match written {
            Ok(object) => Ok(Planned::Written { object: Box::new(object), created }),
            Err(error) if eventflow_kubernetes::is_conflict(&error) => Ok(Planned::Again),
            // Deleted between the read and the write.
            Err(error) if eventflow_kubernetes::is_gone(&error) && !created => Ok(Planned::Again),
            Err(error) => Err(violations(&error).unwrap_or_else(|| to_domain(doing, error))),
        }
    }

    /// The function as it is shown once it is there; where its number takes too long, as it was written.
    async fn result(&self, apply: &Apply, object: &crd::Function) -> Result<Arc<Function>> {
        let mut declared = crd::function(object).map_err(ours)?;
        let latest = self.revisions_of(&declared.key, declared.uid).pop_last().map(|(_, latest)| latest);
        if apply.dry_run {
            declared.version = match &latest {
                Some(latest) if latest.spec.same_code(&declared.spec) => latest.number,
                Some(latest) => latest.number.next(),
                None => self.store.function_last_version(&apply.key).await?.next(),
            };
            return Ok(Arc::new(declared));
        }
        if let Some(shown) = self.shown(&apply.key, declared.uid, declared.generation).await {
            return Ok(shown);
        }
        tracing::warn!(function = %apply.key, "the operator has not numbered a change, is it running?");
        declared.version = latest.map_or(VersionNumber(0), |latest| latest.number);
        Ok(Arc::new(declared))
    }

    async fn current(&self, key: &FunctionKey) -> Result<Arc<Function>> {
        self.refresh(key).await?.ok_or_else(|| Error::function_not_found(&key.name))
    }

    pub(super) async fn delete(&self, key: &FunctionKey, etag: Option<&str>) -> Result<Arc<Function>> {
        for _ in 0..ATTEMPTS {
            let api = self.api(key);
            let object = self.ask("read the function", api.get_opt(key.name.as_str())).await?;
            let object = object.ok_or_else(|| Error::function_not_found(&key.name))?;
            let declared = crd::function(&object).map_err(ours).ok();
            if let (Some(etag), Some(declared)) = (etag, &declared) {
                plan::expect_etag(declared, etag)?;
            }
            let same = Preconditions {
                uid: object.uid(),
                resource_version: etag.and_then(|_| object.resource_version()),
            };
            let deleting = DeleteParams::background().preconditions(same);
            let before = self.index.get(key);
            // What calls name outlives the function in the record.
            if let Some(before) = &before {
                self.keep(before).await?;
            }
            match tokio::time::timeout(super::seen::ASK, api.delete(key.name.as_str(), &deleting)).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) if eventflow_kubernetes::is_conflict(&error) => continue,
                Ok(Err(error)) => return Err(to_domain("delete the function", error)),
                Err(_) => return Err(Error::unavailable("the API server does not answer in time")),
            }
            if let Some(uid) = crd::uid(&object.metadata) {
                self.gone(key, uid).await;
                let shown = before.filter(|before| before.uid == uid);
                return shown
                    .or_else(|| declared.map(Arc::new))
                    .ok_or_else(|| Error::function_not_found(&key.name));
            }
        }
        Err(overtaken(key))
    }

    pub(super) async fn set_paused(&self, key: &FunctionKey, paused: bool) -> Result<Arc<Function>> {
        let api = self.api(key);
        let object = self.ask("read the function", api.get_opt(key.name.as_str())).await?;
        let object = object.ok_or_else(|| Error::function_not_found(&key.name))?;
        let declared = crd::function(&object).map_err(ours)?;
        if declared.paused != paused {
            plan::expect_alive(&declared)?;
            let value = paused.then_some("true");
            let patch = Patch::Merge(serde_json::json!({
                "metadata": { "uid": object.uid(), "annotations": { (names::PAUSED): value } }
            }));
            let params = PatchParams { field_manager: Some(names::API.to_owned()), ..PatchParams::default() };
            let patched = api.patch(key.name.as_str(), &params, &patch);
            self.ask("pause the function", patched).await?;
        }
        let uid = declared.uid;
        let there = |function: Option<&Function>| {
            function.is_none_or(|function| function.uid == uid && function.paused == paused)
        };
        let shown = self.until(key, SEEN, there).await.flatten();
        Ok(shown.unwrap_or_else(|| Arc::new(Function { paused, ..declared })))
    }
}

fn deleting(key: &FunctionKey) -> Error {
    let text = format!("function {:?} is being deleted", key.name);
    Error::new(ErrorKind::WrongState, "FunctionDeleting", text)
}

fn overtaken(key: &FunctionKey) -> Error {
    let text = format!("function {:?} was changed meanwhile, again and again", key.name);
    Error::new(ErrorKind::VersionConflict, "VersionConflict", text)
}
