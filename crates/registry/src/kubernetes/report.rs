//! What the dispatchers found about code: the operator makes the condition of it.

use super::Inner;
use eventflow_crd::{self as crd, names};
use eventflow_domain::{ConditionStatus, FunctionUid, Readiness, Result, RuntimeKind, VersionNumber};
use kube::Resource as _;
use kube::api::{Patch, PatchParams};
use serde_json::json;

impl Inner {
    /// Only of wasm: of what runs in pods the operator knows more. Written only where it says something new.
    pub(super) async fn report(
        &self,
        uid: FunctionUid,
        version: VersionNumber,
        readiness: &Readiness,
    ) -> Result<()> {
        let Some(function) = self.index.get_by_uid(uid) else { return Ok(()) };
        if function.version != version || function.spec.runtime != RuntimeKind::Wasm {
            return Ok(());
        }
        let Some(report) = said(version, readiness) else { return Ok(()) };
        let object = self.functions.get(function.key.namespace.as_str(), function.key.name.as_str());
        let before =
            object.as_ref().and_then(|object| object.0.as_ref().ok()?.status.as_ref()?.report.clone());
        if before.as_ref() == Some(&report) {
            return Ok(());
        }
        let patch = Patch::Apply(json!({
            "apiVersion": crd::Function::api_version(&()),
            "kind": crd::Function::kind(&()),
            // Of this function, not of one made anew.
            "metadata": { "name": function.key.name.as_str(), "uid": uid.to_string() },
            "status": { "report": report },
        }));
        let params = PatchParams::apply(names::DISPATCHER).force();
        let api = self.api(&function.key);
        let patched = api.patch_status(function.key.name.as_str(), &params, &patch);
        match self.ask("report on the function", patched).await {
            // Gone, or made anew meanwhile.
            Err(error)
                if matches!(
                    error.kind(),
                    eventflow_domain::ErrorKind::NotFound | eventflow_domain::ErrorKind::VersionConflict
                ) =>
            {
                Ok(())
            }
            done => done.map(drop),
        }
    }
}

/// `None` where nothing is known yet.
fn said(version: VersionNumber, readiness: &Readiness) -> Option<crd::Report> {
    let ready = readiness.condition(Readiness::READY)?;
    Some(crd::Report {
        version: version.0,
        ready: ready.status == ConditionStatus::True,
        reason: ready.reason.clone(),
        message: ready.message.clone(),
    })
}
