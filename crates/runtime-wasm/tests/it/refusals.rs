//! What is wrong with code is said when it is declared, with the name of what is wrong.

use crate::guests;
use crate::programs::command;
use crate::world::World;
use bytes::Bytes;
use eventflow_domain::ports::Runtime as _;
use eventflow_domain::spec::Image;
use eventflow_domain::{
    ArtifactDigest, ConditionStatus, ErrorKind, FunctionVersion, Mode, Reason, StartKind,
};
use eventflow_testkit::contract::runtime::{CountingSink, call, output};
use std::sync::Arc;
use std::time::Duration;

const NOTHING: &str = r#"(module (func (export "_start")))"#;

/// The same words at apply, in the condition, and in a call.
async fn refused(world: &World, version: &Arc<FunctionVersion>) -> (String, String, String) {
    let error = world.runtime.check(version).await.expect_err("should be refused");
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    let violation = &error.field_violations()[0];
    let readiness = world.runtime.prepare(version).await;
    let condition = readiness.condition("Ready").expect("a condition");
    assert_eq!(condition.status, ConditionStatus::False);
    assert_eq!(condition.message, violation.description);
    let mut call = call(version, "");
    call.start_deadline = Duration::from_secs(5);
    let failure =
        world.runtime.run(call, Arc::new(CountingSink::default())).await.failure.expect("a failure");
    assert_eq!((failure.reason, &failure.message), (Reason::StartFailed, &condition.message));
    (violation.field.clone(), condition.reason.clone(), condition.message.clone())
}

async fn of(code: impl Into<Bytes>, mode: Mode) -> (String, String, String) {
    let world = World::new();
    let version = world.version(code, mode);
    refused(&world, &version).await
}

#[tokio::test]
async fn what_is_not_wasm_is_refused() {
    for code in ["", "hello", "(module (func", "\0asm\u{1}\0\0\0\u{1}"] {
        let (field, reason, message) = of(code, Mode::Job).await;
        assert!(
            field == "image" && (reason == "InvalidCode" || reason == "NothingToRun"),
            "{code:?}: {message}"
        );
    }
    let mut cut = guests::http().to_vec();
    cut.truncate(cut.len() / 2);
    assert_eq!(of(cut, Mode::Http).await.1, "InvalidCode");
}

#[tokio::test]
async fn the_first_missing_import_is_named() {
    let (_, reason, message) =
        of(r#"(module (import "env" "sleep" (func)) (func (export "_start")))"#, Mode::Job).await;
    assert_eq!(reason, "ImportMissing");
    assert!(message.contains("env::sleep"), "{message}");
    let lean = r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
        (memory (export "memory") 1) (func (export "ef_handle")))"#;
    let (_, _, message) = of(lean, Mode::Job).await;
    assert!(message.contains("wasi_snapshot_preview1::proc_exit"), "{message}");
    let component = r#"(component
        (import "acme:cloud/secrets" (instance (export "get" (func))))
        (instance $run)
        (export "wasi:cli/run@0.2.0" (instance $run)))"#;
    let (_, reason, message) = of(component, Mode::Job).await;
    assert_eq!(reason, "ImportMissing");
    assert!(message.contains("acme:cloud/secrets"), "{message}");
}

#[tokio::test]
async fn code_that_offers_nothing_or_half_of_an_abi_is_refused() {
    let (_, reason, message) = of(r#"(module (func (export "main")))"#, Mode::Job).await;
    assert_eq!(reason, "NothingToRun");
    assert!(message.contains("\"main\""), "{message}");
    let half = r#"(module (memory (export "memory") 1) (func (export "ef_handle") (param i32 i32) (result i64) (i64.const 0)))"#;
    let (_, reason, message) = of(half, Mode::Job).await;
    assert_eq!(reason, "LeanAbi");
    assert!(message.contains("ef_alloc"), "{message}");
}

#[tokio::test]
async fn a_mode_that_the_code_does_not_have_is_refused() {
    let (field, reason, message) = of(NOTHING, Mode::Http).await;
    assert_eq!((field.as_str(), reason.as_str()), ("mode", "ModeMismatch"));
    assert!(message.contains("a WASI command module"), "{message}");
    let (field, _, message) = of(guests::http(), Mode::Job).await;
    assert_eq!(field, "mode");
    assert!(message.contains("wasi:http/incoming-handler"), "{message}");
}

#[tokio::test]
async fn an_oci_image_is_refused_in_words() {
    let world = World::new();
    let version = world.version_with(NOTHING, Mode::Job, |spec| {
        spec.image = Some(Image::Oci("registry.example/resize:1.4".to_owned()));
    });
    let (field, reason, message) = refused(&world, &version).await;
    assert_eq!((field.as_str(), reason.as_str()), ("image", "ImageNotSupported"));
    assert!(message.contains("registry.example/resize:1.4"), "{message}");
}

#[tokio::test]
async fn code_over_the_limit_is_too_large() {
    let world = World::with(|config| config.max_code = 100);
    let version = world.version(command(r#"(func (export "_start"))"#), Mode::Job);
    assert_eq!(world.runtime.check(&version).await.expect_err("refused").kind(), ErrorKind::TooLarge);
}

#[tokio::test]
async fn a_missing_artifact_may_come_later() {
    let world = World::new();
    let version = world.version_with(NOTHING, Mode::Job, |spec| {
        let module = br#"(module (func (export "_start")) (func))"#;
        spec.image = Some(Image::Artifact(crate::blobs::MemoryBlobs::default().add(&module[..])));
    });
    let readiness = world.runtime.prepare(&version).await;
    assert_eq!(readiness.condition("Ready").expect("a condition").reason, "ArtifactNotFound");
    world.blobs.add(&br#"(module (func (export "_start")) (func))"#[..]);
    assert!(world.runtime.prepare(&version).await.is_ready());
}

#[tokio::test]
async fn a_call_does_not_wait_longer_for_a_compilation_than_its_start_deadline() {
    // No worker has time: the only one compiles something larger.
    let world = World::with(|config| config.compile_workers = 1);
    let one = "(func (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))";
    let large = one.repeat(20_000);
    let busy = world.version(format!("(module {large} (func (export \"_start\")))"), Mode::Job);
    let waiting = world.version(NOTHING, Mode::Job);
    let prepared = world.runtime.prepare(&busy);
    let called = async {
        tokio::task::yield_now().await;
        let mut call = call(&waiting, "");
        call.start_deadline = Duration::from_millis(1);
        let failure = world.runtime.run(call, Arc::new(CountingSink::default())).await.failure;
        assert_eq!(failure.expect("a failure").reason, Reason::StartDeadline);
        // The code comes all the same.
        let ran =
            world.runtime.run(crate::refusals::call(&waiting, ""), Arc::new(CountingSink::default())).await;
        assert_eq!(ran.start, StartKind::Cold);
        output(ran);
    };
    let (readiness, ()) = tokio::join!(prepared, called);
    assert!(readiness.is_ready());
}

#[tokio::test]
async fn a_full_queue_is_said_and_does_not_last() {
    let world = World::with(|config| (config.compile_workers, config.compile_queue) = (1, 0));
    let versions: Vec<_> = (0..6)
        .map(|n| {
            world.version(
                format!("(module (func (export \"_start\")) (func (param i32)) (data \"{n}\"))"),
                Mode::Job,
            )
        })
        .collect();
    let prepared =
        futures::future::join_all(versions.iter().map(|version| world.runtime.prepare(version))).await;
    let full = prepared
        .iter()
        .filter_map(|r| r.condition("Ready"))
        .filter(|c| c.reason == "CompileQueueFull")
        .count();
    assert!(full > 0 && full < versions.len(), "{prepared:?}");
    for version in &versions {
        assert!(world.runtime.prepare(version).await.is_ready());
    }
}

#[tokio::test]
async fn an_unknown_artifact_is_named() {
    let world = World::new();
    let digest = ArtifactDigest::from_bytes([7; 32]);
    let version = world.version_with(NOTHING, Mode::Job, |spec| spec.image = Some(Image::Artifact(digest)));
    let error = world.runtime.check(&version).await.expect_err("refused");
    assert!(error.message().contains(&digest.to_string()), "{error}");
}

/// What a compiler does by recursion must not end the process.
#[tokio::test]
async fn deeply_nested_code_is_compiled_or_refused() {
    let depth = 20_000;
    let flat =
        format!("(module (func (export \"_start\") {} {}))", "block ".repeat(depth), "end ".repeat(depth));
    let folded = format!(
        "(module (func (export \"_start\") (drop {}(i32.const 1){})))",
        "(i32.eqz ".repeat(depth),
        ")".repeat(depth)
    );
    let types = format!("(component {}{})", "(component ".repeat(depth), ")".repeat(depth));
    let world = World::new();
    for code in [flat, folded, types] {
        let version = world.version(code, Mode::Job);
        let readiness = world.runtime.prepare(&version).await;
        let reason = &readiness.condition("Ready").expect("a condition").reason;
        assert!(["Compiled", "InvalidCode"].contains(&reason.as_str()), "{readiness:?}");
    }
}
