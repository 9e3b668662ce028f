use super::*;
use serde_json::json;

fn function(name: &str, version: u64, generation: i64) -> Declared {
    let object: eventflow_crd::Function = serde_json::from_value(json!({
        "apiVersion": "eventflow.io/v1alpha1", "kind": "Function",
        "metadata": {"name": name, "namespace": "media", "uid": "u1", "resourceVersion": version.to_string(),
            "generation": generation},
        "spec": {"image": "a"},
    }))
    .expect("a Function");
    object.into()
}

fn deployment(name: &str, version: u64, label: &str) -> Deployment {
    serde_json::from_value(json!({
        "metadata": {"name": format!("fn-{name}"), "uid": "d1", "resourceVersion": version.to_string(),
            "labels": {"function": name, "other": label}},
    }))
    .expect("a Deployment")
}

/// A namespace whose view is whole, with one function.
fn whole() -> Index {
    let index = Index::default();
    index.open("media", None);
    let empty = |index: &Index| {
        index.tell::<ControllerRevision>("media", Event::InitDone);
        index.tell::<Deployment>("media", Event::InitDone);
        index.tell::<Service>("media", Event::InitDone);
        index.tell::<HorizontalPodAutoscaler>("media", Event::InitDone);
        index.tell::<NetworkPolicy>("media", Event::InitDone);
    };
    index.tell("media", Event::InitApply(function("a", 10, 1)));
    assert!(index.tell::<Declared>("media", Event::InitDone).is_empty(), "the view is not whole yet");
    empty(&index);
    assert!(
        index.view(&Key::new("media", "a")).is_none(),
        "a reconcile on half a view would make things twice"
    );
    assert_eq!(
        index.tell::<Pod>("media", Event::InitDone),
        [Key::new("media", "a")],
        "now all are looked at"
    );
    index
}

#[test]
fn a_view_never_goes_back() {
    let index = whole();
    assert_eq!(index.tell("media", Event::Apply(function("a", 20, 2))).len(), 1);
    assert!(index.tell("media", Event::Apply(function("a", 15, 1))).is_empty(), "an old event");
    index.tell::<Declared>("media", Event::Init);
    index.tell("media", Event::InitApply(function("a", 12, 1)));
    assert!(index.tell::<Declared>("media", Event::InitDone).is_empty(), "an old list");
    let view = index.view(&Key::new("media", "a")).expect("a view");
    assert_eq!(view.declared.metadata.generation, Some(2));
}

#[test]
fn a_list_tells_what_is_gone() {
    let index = whole();
    index.tell("media", Event::Apply(deployment("a", 30, "x")));
    index.tell::<Deployment>("media", Event::Init);
    assert_eq!(index.tell::<Deployment>("media", Event::InitDone), [Key::new("media", "a")]);
    assert!(index.view(&Key::new("media", "a")).expect("a view").deployment.is_none());
}

#[test]
fn the_echo_of_a_write_and_labels_of_others_are_no_news() {
    let index = whole();
    index.wrote("media", deployment("a", 30, "x"));
    assert!(index.tell("media", Event::Apply(deployment("a", 30, "x"))).is_empty(), "the echo");
    assert!(
        index.tell("media", Event::Apply(deployment("a", 31, "y"))).is_empty(),
        "a label of somebody else"
    );
    let view = index.view(&Key::new("media", "a")).expect("a view");
    let found = view.deployment.expect("a Deployment").metadata.resource_version.clone();
    assert_eq!(found.as_deref(), Some("31"), "but the newest is what a write is conditioned on");
}

#[test]
fn a_namespace_that_is_left_is_forgotten() {
    let index = whole();
    index.close("media");
    assert!(index.view(&Key::new("media", "a")).is_none() && index.keys().is_empty());
    assert!(index.tell("media", Event::Apply(function("a", 40, 3))).is_empty());
}

#[test]
fn a_bad_object_is_kept_with_what_is_wrong() {
    let index = whole();
    let raw = json!({"apiVersion": "eventflow.io/v1alpha1", "kind": "Function",
        "metadata": {"name": "bad", "namespace": "media", "uid": "u2", "resourceVersion": "50"},
        "spec": {"image": 7}});
    let read: kube::core::DeserializeGuard<eventflow_crd::Function> =
        serde_json::from_value(raw).expect("guarded");
    assert_eq!(index.tell("media", Event::Apply(Declared::from(read))), [Key::new("media", "bad")]);
    let view = index.view(&Key::new("media", "bad")).expect("a view");
    assert!(
        view.declared.object.as_ref().expect_err("bad").contains("image") || view.declared.object.is_err()
    );
}
