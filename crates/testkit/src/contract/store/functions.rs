//! Promises of functions, versions, secrets and configs.

use super::{Callee, Room};
use crate::{namespace, spec};
use eventflow_domain::ports::{Clock as _, ConfigData, ConfigKind, FunctionRow};
use eventflow_domain::spec::Image;
use eventflow_domain::{ArtifactDigest, ErrorKind, FunctionUid, FunctionVersion, VersionNumber};
use pretty_assertions::assert_eq;
use std::sync::Arc;
use std::time::Duration;

pub(super) fn row(room: &Room, callee: &Callee, generation: i64, version: i32) -> FunctionRow {
    let now = room.clock.now();
    FunctionRow {
        key: callee.key.clone(),
        uid: callee.uid,
        generation,
        version: VersionNumber(version),
        spec: Arc::new(spec()),
        paused: false,
        deleting: false,
        created_at: now,
        updated_at: now,
    }
}

pub(super) fn version(row: &FunctionRow) -> FunctionVersion {
    FunctionVersion {
        key: row.key.clone(),
        uid: row.uid,
        number: row.version,
        spec: Arc::clone(&row.spec),
        created_at: row.created_at,
        created_by: "tester".to_owned(),
    }
}

pub async fn a_function_comes_back_as_it_was_put(room: &Room) {
    let mut full = spec();
    full.image = Some(Image::Artifact(ArtifactDigest::from_bytes([7; 32])));
    full.env.insert("NAME".parse().expect("a name"), "välue \" ' \0".to_owned());
    full.timeout = Duration::from_millis(1500);
    let first = FunctionRow { spec: Arc::new(full), ..row(room, &Callee::new("b"), 1, 1) };
    let second = row(room, &Callee::new("a"), 1, 1);
    for row in [&first, &second] {
        room.store.function_put(row.clone(), Some(version(row)), 0).await.expect("should be put");
    }
    assert_eq!(room.store.function_list().await.expect("rows"), [second, first.clone()]);
    let read = room.store.version_get(first.uid, VersionNumber(1)).await.expect("should be read");
    assert_eq!(read, Some(version(&first)));

    let changed = FunctionRow { generation: 2, paused: true, deleting: true, ..first.clone() };
    room.store.function_put(changed.clone(), None, 1).await.expect("should be put");
    assert_eq!(room.store.function_list().await.expect("rows").last(), Some(&changed));
}

pub async fn a_function_changed_meanwhile_is_not_overwritten(room: &Room) {
    let callee = Callee::new("f");
    let first = row(room, &callee, 1, 1);
    room.store.function_put(first.clone(), Some(version(&first)), 0).await.expect("should be put");
    let other = row(room, &callee, 2, 2);
    for expected in [0, 2] {
        let put = room.store.function_put(other.clone(), Some(version(&other)), expected).await;
        assert_eq!(put.expect_err("should be refused").kind(), ErrorKind::VersionConflict);
    }
    assert_eq!(room.store.function_list().await.expect("rows"), [first]);
    assert_eq!(room.store.version_get(callee.uid, VersionNumber(2)).await.expect("should be read"), None);
}

pub async fn numbering_survives_the_function(room: &Room) {
    let callee = Callee::new("f");
    assert_eq!(room.store.function_last_version(&callee.key).await.expect("a number"), VersionNumber(0));
    let first = row(room, &callee, 1, 3);
    room.store.function_put(first.clone(), Some(version(&first)), 0).await.expect("should be put");
    // A rollback to an older number does not lower it.
    room.store.function_put(row(room, &callee, 2, 2), None, 1).await.expect("should be put");
    assert!(!room.store.function_remove(&callee.key, FunctionUid::generate()).await.expect("an answer"));
    assert!(room.store.function_remove(&callee.key, callee.uid).await.expect("an answer"));
    assert!(!room.store.function_remove(&callee.key, callee.uid).await.expect("an answer"));
    assert_eq!(room.store.function_last_version(&callee.key).await.expect("a number"), VersionNumber(3));
    let read = room.store.version_get(callee.uid, VersionNumber(3)).await.expect("should be read");
    assert_eq!(read, Some(version(&first)), "a record may name it");
    let anew = row(room, &Callee::new("f"), 1, 4);
    room.store.function_put(anew.clone(), Some(version(&anew)), 0).await.expect("should be put");
}

pub async fn versions_stay_and_come_newest_first(room: &Room) {
    let callee = Callee::new("f");
    let mut expected = Vec::new();
    for n in 1..=3 {
        let row = row(room, &callee, i64::from(n), n);
        room.store
            .function_put(row.clone(), Some(version(&row)), i64::from(n) - 1)
            .await
            .expect("should be put");
        expected.insert(0, version(&row));
    }
    assert_eq!(room.store.version_list(callee.uid).await.expect("versions"), expected);
    assert!(room.store.version_list(FunctionUid::generate()).await.expect("versions").is_empty());
}

pub async fn configs_are_kept_by_kind_namespace_and_name(room: &Room) {
    let (here, there) = (namespace("here"), namespace("there"));
    let name = "keys".parse().expect("a name");
    let data = |value: &str| ConfigData([("KEY".parse().expect("a name"), value.to_owned())].into());
    let store = &room.store;
    let entry = store.config_put(ConfigKind::Secret, &here, &name, data("old")).await.expect("should be put");
    assert_eq!(entry.updated_at, room.clock.now());
    room.clock.advance(Duration::from_secs(1));
    let entry =
        store.config_put(ConfigKind::Secret, &here, &name, data("s\u{0}ecret")).await.expect("should be put");
    store.config_put(ConfigKind::Config, &here, &name, data("config")).await.expect("should be put");
    let get = |kind, namespace| store.config_get(kind, namespace, &name);
    assert_eq!(get(ConfigKind::Secret, &here).await.expect("read"), Some(data("s\u{0}ecret")));
    assert_eq!(get(ConfigKind::Config, &here).await.expect("read"), Some(data("config")));
    assert_eq!(get(ConfigKind::Secret, &there).await.expect("read"), None);
    assert_eq!(store.config_list(ConfigKind::Secret, &here).await.expect("entries"), [entry]);
    assert!(store.config_delete(ConfigKind::Secret, &here, &name).await.expect("an answer"));
    assert!(!store.config_delete(ConfigKind::Secret, &here, &name).await.expect("an answer"));
    assert_eq!(get(ConfigKind::Secret, &here).await.expect("read"), None);
    assert!(get(ConfigKind::Config, &here).await.expect("read").is_some());
}
