//! Which version a declaration is: an existing one, or the next. The operator alone numbers them.

use super::Valid;
use eventflow_crd::names;
use eventflow_domain::{FunctionVersion, Timestamp, VersionNumber};
use k8s_openapi::api::apps::v1::ControllerRevision;
use std::sync::Arc;

/// The version of a declaration.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Numbered {
    /// It is kept already.
    Kept(VersionNumber),
    /// It must be kept first.
    New(FunctionVersion),
}

/// The current version where the declaration runs the same code; else the next number, above every one that is known for
/// this name: of this function, of leftovers of an earlier one, and of records.
pub(super) fn number(valid: &Valid, revisions: &[Arc<ControllerRevision>], by: &str) -> Numbered {
    let own = revisions.iter().filter(|revision| eventflow_crd::runs(revision, valid.uid));
    let latest = own.max_by_key(|revision| revision.revision);
    if let Some(latest) = latest
        && let Ok(version) = eventflow_crd::version(latest)
        && version.spec.same_code(&valid.spec)
    {
        return Numbered::Kept(version.number);
    }
    let highest = revisions.iter().map(|revision| revision.revision).max().unwrap_or(0);
    let highest = [highest, recorded(valid), told(valid)].into_iter().max().unwrap_or(0).max(0);
    Numbered::New(FunctionVersion {
        key: valid.key.clone(),
        uid: valid.uid,
        number: VersionNumber(i32::try_from(highest).unwrap_or(i32::MAX - 1)).next(),
        spec: Arc::clone(&valid.spec),
        created_at: Timestamp::default(),
        created_by: by.to_owned(),
    })
}

/// What the status says: its revision may have been deleted by hand.
fn recorded(valid: &Valid) -> i64 {
    valid.object.status.as_ref().and_then(|status| status.latest_version).unwrap_or(0).into()
}

/// What the api says records name for an earlier function of this name.
fn told(valid: &Valid) -> i64 {
    let annotations = valid.object.metadata.annotations.as_ref();
    let text = annotations.and_then(|all| all.get(names::LAST_VERSION));
    text.and_then(|text| text.parse::<i32>().ok()).unwrap_or(0).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventflow_crd::{Function, revision};
    use eventflow_domain::FunctionUid;
    use serde_json::json;

    fn valid(image: &str, uid: FunctionUid, annotations: &serde_json::Value) -> Valid {
        let object: Function = serde_json::from_value(json!({
            "apiVersion": "eventflow.io/v1alpha1", "kind": "Function",
            "metadata": {"name": "a", "namespace": "media", "uid": uid.to_string(), "annotations": annotations},
            "spec": {"image": image},
        }))
        .expect("a Function");
        let (key, spec) = eventflow_crd::validate(&object).expect("valid");
        Valid { key, uid, spec: Arc::new(spec), object: Arc::new(object) }
    }

    fn kept(valid: &Valid, number: i32) -> Arc<ControllerRevision> {
        let Numbered::New(version) = super::number(valid, &[], "ada") else { panic!("a new one") };
        Arc::new(revision(&FunctionVersion { number: VersionNumber(number), ..version }))
    }

    fn new(numbered: &Numbered) -> Option<i32> {
        match numbered {
            Numbered::New(version) => Some(version.number.0),
            Numbered::Kept(_) => None,
        }
    }

    #[test]
    fn the_same_code_is_the_same_version_and_other_code_the_next() {
        let uid = FunctionUid::generate();
        let (first, second) = (valid("a", uid, &json!({})), valid("b", uid, &json!({})));
        assert_eq!(new(&number(&first, &[], "ada")), Some(1));
        let revisions = [kept(&first, 1)];
        assert_eq!(number(&first, &revisions, "ada"), Numbered::Kept(VersionNumber(1)));
        assert_eq!(new(&number(&second, &revisions, "ada")), Some(2));
        let revisions = [kept(&first, 1), kept(&second, 2)];
        assert_eq!(new(&number(&first, &revisions, "ada")), Some(3), "a rollback is a new version");
    }

    #[test]
    fn a_function_made_anew_goes_on_numbering() {
        let again = valid("a", FunctionUid::generate(), &json!({}));
        let leftover = kept(&valid("a", FunctionUid::generate(), &json!({})), 7);
        assert_eq!(new(&number(&again, &[leftover], "ada")), Some(8), "above what is not collected yet");
        let told = valid("a", FunctionUid::generate(), &json!({"eventflow.io/last-version": "41"}));
        assert_eq!(new(&number(&told, &[], "ada")), Some(42), "above what records name");
        let nonsense = valid("a", FunctionUid::generate(), &json!({"eventflow.io/last-version": "many"}));
        assert_eq!(new(&number(&nonsense, &[], "ada")), Some(1));
    }
}
