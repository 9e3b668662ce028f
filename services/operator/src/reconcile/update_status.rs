use super::apply::Writer;
use super::conditions::{Findings, conditions};
use super::{Context, Error};
use crate::index::View;
use eventflow_crd::{Function, FunctionStatus, names};
use eventflow_domain::Mode;
use eventflow_workload::{Role, has_copies, selector_text};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

/// Writes what was found, where it differs from what the status says.
pub(super) async fn update_status(
    context: &Context,
    writer: &Writer<'_>,
    view: &View,
    findings: &Findings,
) -> Result<(), Error> {
    let before = findings.status.clone();
    let status = status(context, findings);
    if same(&status, &before) {
        return Ok(());
    }
    let api: Api<Function> = Api::namespaced(writer.client.clone(), &writer.key.namespace);
    let patch = json!({
        "apiVersion": "eventflow.io/v1alpha1", "kind": "Function",
        // Of another function of this name it would be wrong.
        "metadata": {"name": writer.key.name, "uid": view.declared.metadata.uid},
        "status": status,
    });
    // The status is the operator's alone, but for the report, which it does not name.
    let params = PatchParams::apply(names::OPERATOR).force();
    let raw: Api<kube::api::PartialObjectMeta<Function>> =
        Api::namespaced(writer.client.clone(), &writer.key.namespace);
    let written = match view.declared.object {
        Ok(_) => api.patch_status(&writer.key.name, &params, &Patch::Apply(&patch)).await.map(Some),
        // What is answered of an object that cannot be read cannot be read either.
        Err(_) => raw.patch_status(&writer.key.name, &params, &Patch::Apply(&patch)).await.map(|_| None),
    };
    match written {
        Ok(found) => {
            if let Some(found) = found {
                let managed = crate::index::Declared { by: view.declared.by.clone(), ..found.into() };
                writer.index.wrote(&writer.key.namespace, managed);
            }
            writer.events.found(&view.declared.metadata, findings, &before, &status).await;
            Ok(())
        }
        Err(kube::Error::Api(error)) if error.code == 404 => Ok(()),
        Err(kube::Error::Api(error)) if error.code == 409 => {
            Err(Error::Stale(format!("function {}", writer.key)))
        }
        Err(error) => Err(Error::api(format!("write the status of {}", writer.key), error)),
    }
}

fn status(context: &Context, findings: &Findings) -> FunctionStatus {
    let before = &findings.status;
    let now = Time(
        jiff::Timestamp::from_microsecond(context.clock.now().as_micros())
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH),
    );
    let conditions = conditions(findings).into_iter().map(|found| {
        let old = before.condition(found.kind).filter(|old| old.status == found.status.as_str());
        Condition {
            type_: found.kind.to_owned(),
            status: found.status.as_str().to_owned(),
            reason: found.reason,
            message: found.message,
            observed_generation: findings.generation,
            last_transition_time: old.map_or_else(|| now.clone(), |old| old.last_transition_time.clone()),
        }
    });
    let conditions = conditions.collect();
    let Some(spec) = &findings.spec else {
        // Refused: what ran before goes on, and is still said.
        return FunctionStatus {
            observed_generation: findings.generation,
            conditions,
            report: None,
            ..before.clone()
        };
    };
    let copies = findings.deployment.as_ref().and_then(|deployment| deployment.status.as_ref());
    let name = findings.name();
    let http = spec.mode == Mode::Http;
    FunctionStatus {
        observed_generation: findings.generation,
        latest_version: findings.version.map(|number| number.0).or(before.latest_version),
        mode: Some(if http { "http" } else { "job" }.to_owned()),
        replicas: Some(copies.and_then(|copies| copies.replicas).unwrap_or(0)),
        ready_replicas: Some(copies.and_then(|copies| copies.ready_replicas).unwrap_or(0)),
        selector: name.as_ref().filter(|_| has_copies(spec)).map(|name| selector_text(name, Role::Warm)),
        url: http
            .then(|| format!("{}/fn/{}/{}/", context.config.url, findings.key.namespace, findings.key.name)),
        conditions,
        report: None,
    }
}

/// Whether a status says the same; the report is not the operator's.
fn same(status: &FunctionStatus, before: &FunctionStatus) -> bool {
    *status == FunctionStatus { report: None, ..before.clone() }
}
