use crate::index::Index;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use eventflow_crd::{Function, validate};
use http::{StatusCode, header};
use kube::core::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse, AdmissionReview, Operation};
use serde_json::Value;
use std::sync::Arc;

/// The API server sends objects of at most 1.5 MiB, an update has two.
const MAX_BODY: usize = 4 << 20;

/// `POST /validate`
pub fn router(index: Arc<Index>) -> Router {
    Router::new().route("/validate", post(answer)).layer(DefaultBodyLimit::max(MAX_BODY)).with_state(index)
}

async fn answer(State(index): State<Arc<Index>>, body: Bytes) -> Response {
    let review: AdmissionReview<DynamicObject> = match serde_json::from_slice(&body) {
        Ok(review) => review,
        Err(error) => {
            return (StatusCode::BAD_REQUEST, format!("no AdmissionReview: {error}\n")).into_response();
        }
    };
    // Through the conversion, which keeps the kind that the answer must have.
    let request: AdmissionRequest<DynamicObject> = match review.try_into() {
        Ok(request) => request,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    let opted_in = |namespace: &str| index.is_open(namespace);
    let answer = decide(&request, opted_in).into_review();
    match serde_json::to_vec(&answer) {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Whether an object may be stored.
fn decide(request: &AdmissionRequest<DynamicObject>, opted_in: impl Fn(&str) -> bool) -> AdmissionResponse {
    let mut allowed = AdmissionResponse::from(request);
    let Some(object) = request.object.as_ref().filter(|_| request.operation != Operation::Delete) else {
        return allowed;
    };
    let Ok(value) = serde_json::to_value(object) else { return allowed };
    // Whoever lets an object go, or changes its metadata only, is not asked to correct it first.
    let unchanged = request.old_object.as_ref().is_some_and(|old| old.data.get("spec") == value.get("spec"));
    if unchanged || object.metadata.deletion_timestamp.is_some() {
        return allowed;
    }
    if let Err(why) = check(value) {
        let mut denied = allowed.deny(&why);
        denied.result.code = 422;
        "Invalid".clone_into(&mut denied.result.reason);
        return denied;
    }
    let namespace = request.namespace.clone().unwrap_or_default();
    allowed.warnings = (!opted_in(&namespace)).then(|| {
        vec![format!(
            "namespace {namespace} is not opted in, nothing runs there yet: `kubectl label namespace {namespace} {}=true`",
            eventflow_crd::names::ENABLED
        )]
    });
    allowed
}

fn check(object: Value) -> Result<(), String> {
    let mut object: Function = serde_json::from_value(object).map_err(|error| error.to_string())?;
    // A name that is yet to be generated is checked when it is there.
    if object.metadata.name.is_none() && object.metadata.generate_name.is_some() {
        object.metadata.name = Some("generated".to_owned());
    }
    validate(&object).map(|_| ()).map_err(|refused| refused.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn function(spec: &Value) -> Value {
        json!({"apiVersion": "eventflow.io/v1alpha1", "kind": "Function",
            "metadata": {"name": "a", "namespace": "media", "uid": "u"}, "spec": spec})
    }

    fn decided(operation: &str, old: Option<&Value>, new: Option<&Value>) -> Value {
        let request = json!({
            "uid": "r", "operation": operation, "namespace": "media", "name": "a", "userInfo": {}, "dryRun": false,
            "kind": {"group": "eventflow.io", "version": "v1alpha1", "kind": "Function"},
            "resource": {"group": "eventflow.io", "version": "v1alpha1", "resource": "functions"},
            "object": new.map(function), "oldObject": old.map(function),
        });
        let request: AdmissionRequest<DynamicObject> = serde_json::from_value(request).expect("a request");
        serde_json::to_value(decide(&request, |namespace| namespace == "media")).expect("JSON")
    }

    #[test]
    fn what_cel_cannot_say_is_refused_in_the_domains_words() {
        let bad =
            json!({"image": "a", "retry": {"maxAttempts": 2, "backoff": {"initial": "2h", "max": "1h"}}});
        let answer = decided("CREATE", None, Some(&bad));
        assert_eq!(
            (answer["allowed"].as_bool(), answer["status"]["code"].as_u64()),
            (Some(false), Some(422))
        );
        assert_eq!(
            answer["status"]["message"],
            "spec.retry.backoff.initial: must be at most retry.backoff.max"
        );
        assert_eq!(decided("CREATE", None, Some(&json!({"image": "a"})))["allowed"], true);
    }

    #[test]
    fn an_object_that_is_let_go_or_keeps_its_spec_is_not_held_up() {
        let bad = json!({"image": "a", "timeout": "2d"});
        assert_eq!(decided("UPDATE", Some(&bad), Some(&bad))["allowed"], true);
        assert_eq!(decided("DELETE", Some(&bad), None)["allowed"], true);
        let other = json!({"image": "b", "timeout": "2d"});
        assert_eq!(decided("UPDATE", Some(&bad), Some(&other))["allowed"], false);
    }
}
