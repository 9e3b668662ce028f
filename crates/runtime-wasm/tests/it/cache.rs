//! The cache of compiled code: used after a restart, believed only where it is our own.

use crate::guests;
use crate::programs;
use crate::world::World;
use eventflow_domain::ports::Runtime as _;
use eventflow_domain::{Mode, StartKind};
use eventflow_testkit::contract::runtime::{CountingSink, Program, call, output};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

fn entries(world: &World, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(world.dir.path().join("compiled")).expect("the cache");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

/// Under the same name, but not in place: the old file may still be mapped.
fn replace(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).expect("should be removed");
    fs::write(path, bytes).expect("should be written");
}

/// Runs the echo program once; gives how it started and how often its artifact was read, that is, compiled.
async fn run(world: &World) -> (StartKind, usize) {
    let before = world.blobs.reads();
    let version = world.version(programs::of(Program::Echo), Mode::Job);
    let ran = world.runtime.run(call(&version, "hello"), Arc::new(CountingSink::default())).await;
    let start = ran.start;
    assert_eq!(output(ran).bytes, "hello");
    (start, world.blobs.reads() - before)
}

#[tokio::test]
async fn after_a_restart_nothing_is_compiled_again() {
    let world = World::new();
    assert_eq!(run(&world).await, (StartKind::Cold, 1));
    // The same code under another version is shared.
    assert_eq!(run(&world).await.1, 0);
    let world = world.restarted();
    let started = Instant::now();
    assert_eq!(run(&world).await, (StartKind::Cold, 0));
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
}

#[tokio::test]
async fn an_entry_that_was_changed_is_not_loaded() {
    type Change = fn(&mut Vec<u8>);
    let changes: [Change; 3] = [
        |bytes| bytes[100] ^= 1,
        |bytes| bytes.truncate(bytes.len() / 2),
        |bytes| bytes.extend_from_slice(b"more"),
    ];
    let mut world = World::new();
    run(&world).await;
    for change in changes {
        for extension in ["cwasm", "mac"] {
            let path = entries(&world, extension).pop().expect("an entry");
            let mut bytes = fs::read(&path).expect("an entry");
            if extension == "mac" && bytes.len() < 101 {
                bytes.resize(101, 0);
            }
            change(&mut bytes);
            replace(&path, &bytes);
            world = world.restarted();
            assert_eq!(
                run(&world).await,
                (StartKind::Cold, 1),
                "a changed {extension} should be compiled again"
            );
        }
    }
}

#[tokio::test]
async fn an_entry_of_another_installation_is_not_loaded() {
    let (ours, theirs) = (World::new(), World::new());
    run(&ours).await;
    run(&theirs).await;
    for extension in ["cwasm", "mac"] {
        let from = entries(&theirs, extension).pop().expect("an entry");
        let to = entries(&ours, extension).pop().expect("an entry");
        assert_eq!(from.file_name(), to.file_name());
        replace(&to, &fs::read(from).expect("an entry"));
    }
    let ours = ours.restarted();
    assert_eq!(run(&ours).await.1, 1);
}

#[tokio::test]
async fn an_entry_does_not_pass_for_another() {
    let world = World::new();
    run(&world).await;
    let echo = entries(&world, "cwasm").pop().expect("an entry");
    world.prepared(programs::of(Program::Forever), Mode::Job).await;
    let other = entries(&world, "cwasm").into_iter().find(|path| *path != echo).expect("another entry");
    for extension in ["cwasm", "mac"] {
        let bytes = fs::read(other.with_extension(extension)).expect("an entry");
        replace(&echo.with_extension(extension), &bytes);
    }
    let world = world.restarted();
    assert_eq!(run(&world).await.1, 1);
}

#[tokio::test]
async fn the_cache_is_for_its_owner_only() {
    let world = World::new();
    run(&world).await;
    let dir = world.dir.path().join("compiled");
    let mode = |path: &PathBuf| fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    for path in entries(&world, "cwasm").iter().chain(&entries(&world, "mac")).chain(&[dir.join("mac.key")]) {
        assert_eq!(mode(path), 0o600, "{}", path.display());
    }
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).expect("should be changed");
    let world = world.restarted();
    assert_eq!(mode(&world.dir.path().join("compiled")), 0o700);
}

#[tokio::test]
async fn components_are_cached_too() {
    let world = World::new();
    world.prepared(guests::job(), Mode::Job).await;
    let world = world.restarted();
    let before = world.blobs.reads();
    let version = world.prepared(guests::job(), Mode::Job).await;
    assert_eq!(world.blobs.reads(), before);
    let ran = world.runtime.run(call(&version, "hello"), Arc::new(CountingSink::default())).await;
    assert_eq!(output(ran).bytes, "HELLO");
}

#[tokio::test]
async fn the_oldest_entries_go_when_the_cache_is_full() {
    let world = World::with(|config| config.cache_bytes = 1);
    world.prepared(programs::of(Program::Forever), Mode::Job).await;
    run(&world).await;
    assert!(entries(&world, "cwasm").len() <= 1, "{:?}", entries(&world, "cwasm"));
}
