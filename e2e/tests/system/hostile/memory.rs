use super::{function_reason, neighbours_are_well, server};
use eventflow_e2e::storm::children::resident;
use eventflow_e2e::storm::functions::{ready, wasm};
use serde_json::json;

/// Takes all that it can get.
const HOG_WAT: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "ef_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "ef_handle") (param i32 i32) (result i64)
    (loop $more
      (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
    unreachable))"#;

/// What a server may have more after the hogs than before.
const FLAT: u64 = 32 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_hogs_are_ended_at_their_limit() {
    let (server, rest) = server(&[]).await;
    let mut hog = wasm(&rest, "wasm-hog", HOG_WAT).await;
    hog["resources"] = json!({"memory": "16Mi"});
    rest.apply(&hog).await;
    ready(&rest, "wasm-hog").await;
    let script = "head -c 400000000 /dev/zero | tail -n 1 | wc -c";
    let process = json!({"name": "process-hog", "runtime": "process", "command": ["sh", "-c", script],
                         "resources": {"memory": "64Mi"}});
    rest.apply(&process).await;
    neighbours_are_well(&rest).await;

    let before = resident(&server);
    for name in ["wasm-hog", "process-hog"] {
        let calls = futures::future::join_all((0..4).map(|_| rest.invoke(name, "x")));
        let (answers, ()) = futures::future::join(calls, neighbours_are_well(&rest)).await;
        for answer in answers {
            assert_eq!(
                (answer.status, function_reason(&answer)),
                (502, json!("OutOfMemory")),
                "{name}: {answer:?}"
            );
        }
    }
    let after = resident(&server);
    println!("the server has {before} bytes before the hogs and {after} after them");
    assert!(after < before + FLAT, "{before} bytes before, {after} after");
}
