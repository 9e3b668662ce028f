use super::{applied, apply, refused, variant};
use crate::{key, namespace};
use eventflow_domain::ports::{Apply, FunctionRegistry, Precondition};
use eventflow_domain::{ErrorKind, FunctionKey, FunctionUid, VersionNumber};
use std::collections::BTreeSet;
use std::sync::Arc;

type Registry = Arc<dyn FunctionRegistry>;

pub async fn a_change_of_code_makes_a_version(registry: Registry) {
    let first = applied(&*registry, "f", variant(1, 0)).await;
    assert!(first.created && first.changed);
    assert_eq!((first.function.version, first.function.generation), (VersionNumber(1), 1));
    assert_eq!(registry.get(&key("f")), Some(Arc::clone(&first.function)), "it is seen at once");
    assert_eq!(registry.refresh(&key("f")).await.expect("refresh"), Some(Arc::clone(&first.function)));

    let second = applied(&*registry, "f", variant(2, 0)).await;
    assert!(!second.created && second.changed);
    assert_eq!((second.function.version, second.function.generation), (VersionNumber(2), 2));
    assert_eq!(second.function.uid, first.function.uid);
    assert_ne!(second.function.etag(), first.function.etag());

    let back = applied(&*registry, "f", variant(1, 0)).await;
    assert_eq!(back.function.version, VersionNumber(3), "old code is a new version too");

    let uid = first.function.uid;
    let versions = registry.versions(uid).await.expect("versions");
    assert_eq!(versions.iter().map(|version| version.number.0).collect::<Vec<_>>(), [3, 2, 1]);
    for (number, code) in [(1, 1), (2, 2), (3, 1)] {
        for _cached in 0..2 {
            let version = registry.version(uid, VersionNumber(number)).await.expect("a version");
            assert_eq!((version.number, version.uid), (VersionNumber(number), uid));
            assert_eq!((&*version.spec, version.created_by.as_str()), (&variant(code, 0), "tester"));
        }
    }
}

pub async fn a_change_of_policy_makes_no_version(registry: Registry) {
    let before = applied(&*registry, "f", variant(1, 0)).await.function;
    let after = applied(&*registry, "f", variant(1, 5)).await;
    assert!(after.changed && !after.created);
    assert_eq!((after.function.version, after.function.generation), (VersionNumber(1), 2));
    assert_eq!(*after.function.spec, variant(1, 5));
    assert_eq!(after.function.created_at, before.created_at);
    assert_eq!(registry.versions(before.uid).await.expect("versions").len(), 1);
}

pub async fn an_apply_of_the_same_changes_nothing(registry: Registry) {
    let before = applied(&*registry, "f", variant(1, 1)).await.function;
    let mut events = registry.watch();
    let again = applied(&*registry, "f", variant(1, 1)).await;
    assert!(!again.changed && !again.created);
    assert_eq!(again.function, before);
    super::assert_quiet(&mut events).await;
}

pub async fn a_function_made_anew_goes_on_numbering(registry: Registry) {
    for code in 1..=3 {
        applied(&*registry, "f", variant(code, 0)).await;
    }
    let old = registry.delete(&key("f"), None).await.expect("delete");
    assert_eq!(registry.get(&key("f")), None);
    assert_eq!(registry.get_by_uid(old.uid), None);
    let new = applied(&*registry, "f", variant(3, 0)).await;
    assert!(new.created);
    assert_eq!((new.function.version, new.function.generation), (VersionNumber(4), 1));
    assert_ne!(new.function.uid, old.uid);
    assert_ne!(new.function.etag(), old.etag());
    assert_eq!(applied(&*registry, "g", variant(1, 0)).await.function.version, VersionNumber(1));
}

pub async fn a_deleted_function_keeps_its_versions(registry: Registry) {
    applied(&*registry, "f", variant(1, 0)).await;
    let old = registry.delete(&key("f"), None).await.expect("delete");
    let version = registry.version(old.uid, VersionNumber(1)).await.expect("a version");
    assert_eq!(*version.spec, variant(1, 0));
    assert_eq!(registry.versions(old.uid).await.expect("versions"), [version]);
}

pub async fn a_dry_run_says_what_would_be_and_changes_nothing(registry: Registry) {
    let dry = |spec| Apply { dry_run: true, ..apply("f", spec) };
    let would = registry.apply(dry(variant(1, 0))).await.expect("dry run");
    assert!(would.created && would.changed);
    assert_eq!(would.function.version, VersionNumber(1));
    assert_eq!(registry.list(None), []);

    let current = applied(&*registry, "f", variant(1, 0)).await.function;
    let mut events = registry.watch();
    let would = registry.apply(dry(variant(2, 0))).await.expect("dry run");
    assert_eq!((would.changed, would.function.version), (true, VersionNumber(2)));
    let would = registry.apply(dry(variant(1, 0))).await.expect("dry run");
    assert!(!would.changed);
    let absent = Apply { precondition: Precondition::Absent, ..dry(variant(2, 0)) };
    assert_eq!(registry.apply(absent).await.expect_err("refused").kind(), ErrorKind::AlreadyExists);
    assert_eq!(registry.get(&key("f")), Some(Arc::clone(&current)));
    assert_eq!(registry.versions(current.uid).await.expect("versions").len(), 1);
    super::assert_quiet(&mut events).await;
}

pub async fn preconditions_hold_or_nothing_is_done(registry: Registry) {
    let missing = refused(&*registry, "f", Precondition::Etag("x-1".to_owned())).await;
    assert_eq!(missing.kind(), ErrorKind::PreconditionFailed);

    let absent = Apply { precondition: Precondition::Absent, ..apply("f", variant(1, 0)) };
    let first = registry.apply(absent).await.expect("there is none yet").function;
    applied(&*registry, "f", variant(2, 0)).await;
    let there = refused(&*registry, "f", Precondition::Absent).await;
    assert_eq!(there.kind(), ErrorKind::AlreadyExists);
    assert_eq!(there.metadata().get("version").map(String::as_str), Some("2"));

    let stale = refused(&*registry, "f", Precondition::Etag(first.etag())).await;
    assert_eq!(stale.kind(), ErrorKind::PreconditionFailed);
    let stale = registry.delete(&key("f"), Some(&first.etag())).await.expect_err("refused");
    assert_eq!(stale.kind(), ErrorKind::PreconditionFailed);

    let current = registry.get(&key("f")).expect("still there");
    assert_eq!((current.generation, &*current.spec), (2, &variant(2, 0)));
    let precondition = Precondition::Etag(current.etag());
    let third = registry.apply(Apply { precondition, ..apply("f", variant(3, 0)) }).await.expect("it holds");
    registry.delete(&key("f"), Some(&third.function.etag())).await.expect("it holds");
    assert_eq!(registry.get(&key("f")), None);
}

pub async fn what_does_not_exist_is_not_found(registry: Registry) {
    let uid = FunctionUid::generate();
    assert_eq!(registry.get(&key("f")), None);
    assert_eq!(registry.refresh(&key("f")).await.expect("refresh"), None);
    assert_eq!(registry.get_by_uid(uid), None);
    assert_eq!(registry.versions(uid).await.expect("versions"), []);
    let errors = [
        registry.delete(&key("f"), None).await.err(),
        registry.set_paused(&key("f"), true).await.err(),
        registry.version(uid, VersionNumber(1)).await.err(),
    ];
    for error in errors {
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::NotFound));
    }
}

pub async fn functions_are_listed_in_order(registry: Registry) {
    for (space, name) in [("b", "x"), ("a", "z"), ("a", "y"), ("a-b", "w")] {
        let key = FunctionKey::new(namespace(space), name.parse().expect("a name"));
        let function =
            registry.apply(Apply { key, ..apply("f", variant(1, 0)) }).await.expect("apply").function;
        assert_eq!(registry.get_by_uid(function.uid), Some(function));
    }
    let names = |space: Option<&str>| -> Vec<String> {
        let space = space.map(namespace);
        registry.list(space.as_ref()).iter().map(|function| function.key.to_string()).collect()
    };
    assert_eq!(names(None), ["a/y", "a/z", "a-b/w", "b/x"]);
    assert_eq!(names(Some("a")), ["a/y", "a/z"]);
    assert!(names(Some("c")).is_empty());
}

pub async fn many_writers_at_once_number_without_gaps(registry: Registry) {
    let writes = (1..=40).map(|code| registry.apply(apply("f", variant(code, 0))));
    let all = futures::future::try_join_all(writes).await.expect("should apply");
    let numbers: BTreeSet<i32> = all.iter().map(|applied| applied.function.version.0).collect();
    assert_eq!(numbers, (1..=40).collect());
    assert_eq!(all.iter().filter(|applied| applied.created).count(), 1);
    let current = registry.get(&key("f")).expect("there");
    assert_eq!((current.version, current.generation), (VersionNumber(40), 40));
}
