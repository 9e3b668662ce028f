//! The lean ABI, as docs/wasm-abi.md says it.

use crate::world::World;
use eventflow_domain::logs::Stream;
use eventflow_domain::ports::{LogSink, Ran, Runtime as _};
use eventflow_domain::{Mode, Reason, StartKind};
use eventflow_testkit::contract::runtime::{call, output};
use eventflow_testkit::fakes::CapturedLogs;
use std::sync::Arc;

/// A lean module: an allocator that always gives 1024, and a handler.
fn lean(handle: &str) -> String {
    format!(
        r#"(module
             (import "eventflow" "log" (func $log (param i32 i32 i32)))
             (memory (export "memory") 4)
             (global $calls (mut i32) (i32.const 0))
             (data (i32.const 16) "careful: it is hot")
             (func (export "ef_alloc") (param i32) (result i32) (i32.const 1024))
             (func (export "ef_handle") (param $ptr i32) (param $len i32) (result i64) {handle}))"#
    )
}

/// `ptr << 32 | len` of what came in.
const ECHO: &str = "(i64.or (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32)) (i64.extend_i32_u (local.get $len)))";

async fn run(handle: &str, payload: impl Into<bytes::Bytes>) -> (Ran, Arc<CapturedLogs>) {
    let world = World::new();
    let version = world.prepared(lean(handle), Mode::Job).await;
    let logs = Arc::new(CapturedLogs::default());
    let ran = world.runtime.run(call(&version, payload), Arc::clone(&logs) as Arc<dyn LogSink>).await;
    (ran, logs)
}

async fn fails(handle: &str) -> (Reason, String) {
    let failure = run(handle, "x").await.0.failure.expect("a failure");
    (failure.reason, failure.message)
}

#[tokio::test]
async fn bytes_go_in_and_come_out() {
    for payload in ["", "hello", &"x".repeat(200_000)] {
        let (ran, _) = run(ECHO, payload.to_owned()).await;
        assert_eq!(ran.start, StartKind::Warm);
        assert_eq!(output(ran).bytes, payload);
    }
}

#[tokio::test]
async fn log_calls_become_lines() {
    let handle = "(call $log (i32.const 2) (i32.const 25) (i32.const 9))
                  (call $log (i32.const 3) (i32.const 16) (i32.const 7)) (i64.const 0)";
    let (ran, logs) = run(handle, "").await;
    assert_eq!(output(ran).bytes, "");
    assert_eq!(logs.lines(Stream::Stdout), ["it is hot"]);
    assert_eq!(logs.lines(Stream::Stderr), ["careful"]);
}

#[tokio::test]
async fn a_negative_answer_is_a_failure_with_its_message() {
    // The complement of 16 << 32 | 18.
    let (reason, message) = fails("(i64.xor (i64.const 0x1000000012) (i64.const -1))").await;
    assert_eq!((reason, message.as_str()), (Reason::ExitCode, "careful: it is hot"));
    assert_eq!(
        fails("(i64.const -1)").await,
        (Reason::ExitCode, "the function answered with an error".to_owned())
    );
}

#[tokio::test]
async fn ranges_outside_of_the_memory_are_traps() {
    let result = fails("(i64.const 0x7fffffff00000001)").await;
    assert_eq!(result, (Reason::Trap, "ef_handle returned a range outside of its memory".to_owned()));
    let (reason, message) =
        fails("(call $log (i32.const 1) (i32.const -2) (i32.const 4)) (i64.const 0)").await;
    assert_eq!(reason, Reason::Trap);
    assert!(message.contains("outside of the memory"), "{message}");
}

#[tokio::test]
async fn a_trap_is_told_in_words() {
    let (reason, message) = fails("(drop (i32.div_u (local.get $ptr) (i32.const 0))) (i64.const 0)").await;
    assert_eq!(reason, Reason::Trap);
    assert!(message.contains("integer divide by zero"), "{message}");
}

#[tokio::test]
async fn each_call_has_fresh_memory() {
    let world = World::new();
    let handle = "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
                  (i32.store8 (i32.const 0) (i32.add (i32.load8_u (i32.const 0)) (global.get $calls)))
                  (i64.const 1)";
    let version = world.prepared(lean(handle), Mode::Job).await;
    for _ in 0..4 {
        let ran = world.runtime.run(call(&version, "x"), Arc::new(CapturedLogs::default())).await;
        assert_eq!(output(ran).bytes, [1u8][..]);
    }
}

#[tokio::test]
async fn a_result_over_the_limit_is_refused_and_not_cut() {
    let world = World::with(|config| config.limits.payload = 1000);
    let version = world.prepared(lean(ECHO), Mode::Job).await;
    let run = |size| world.runtime.run(call(&version, vec![b'x'; size]), Arc::new(CapturedLogs::default()));
    assert_eq!(output(run(1000).await).bytes.len(), 1000);
    assert_eq!(run(1001).await.failure.expect("a failure").reason, Reason::ResultTooLarge);
}
