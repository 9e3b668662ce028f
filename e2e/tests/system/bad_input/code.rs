//! Code that is too large, or takes too long to compile (row 34).

use super::{Scene, check, invalid, refusal};
use eventflow_e2e::Server;
use eventflow_e2e::shape::only_local;
use eventflow_e2e::wait::{SOON, settles, within};
use serde_json::{Value, json};
use std::time::Duration;

async fn upload(scene: &Scene, code: Vec<u8>) -> Value {
    let answer = scene.rest.request("POST", "/v1/artifacts").body(code).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let image = format!("artifact@{}", answer.json()["digest"].as_str().unwrap());
    json!({"name": "b", "runtime": "wasm", "image": image})
}

#[tokio::test]
async fn code_over_its_limits_is_413() {
    let options = Server::options().set("limits.artifact=64Ki").set("wasm.max_code=32Ki");
    let scene = Scene::of(options.start().await).await;
    let work = async {
        let size = (64 << 10) + 1;
        let large = scene.rest.request("POST", "/v1/artifacts").body(vec![0; size]).send().await;
        check("an artifact over the limit", &large, refusal(413, "TooLarge", &["65536"]));
        let function = upload(&scene, heavy(2_560)).await;
        let refused = scene.rest.post("/v1/functions", &function).await;
        check("a module over the limit", &refused, refusal(413, "CodeTooLarge", &["32768"]));
    };
    scene.unchanged(work).await;
    let fits = scene.rest.post("/v1/functions", &upload(&scene, heavy(96)).await).await;
    assert_eq!(fits.status, 201, "{fits:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn code_that_takes_too_long_to_compile_is_refused_in_time() {
    let scene = Scene::of(Server::options().set("wasm.compile_timeout=1s").start().await).await;
    let function = upload(&scene, heavy(ADDITIONS)).await;
    let work = async {
        let refused = within("an answer", BOUND, scene.rest.post("/v1/functions", &function)).await;
        check("too slow", &refused, invalid(&["image"], &["compiling took longer than 1 s"]));
    };
    scene.unchanged(Box::pin(work)).await;
    // Neither do others wait for it.
    let fine = scene.rest.invoke("a", "meanwhile").await;
    assert_eq!((fine.status, fine.text().as_str()), (200, "meanwhile"), "{fine:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_whose_code_cannot_be_compiled_in_time_any_more_says_so() {
    if !only_local("it removes compiled code from the data folder") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::of(Server::options().data(folder.path()).start().await).await;
    let function = upload(&scene, heavy(ADDITIONS)).await;
    let applied = scene.rest.post("/v1/functions", &function).await;
    assert_eq!(applied.status, 201, "there is time enough: {applied:?}");
    scene.server.stop().await;
    std::fs::remove_dir_all(folder.path().join("wasm-cache")).expect("compiled code");

    let server = Server::options().data(folder.path()).set("wasm.compile_timeout=1s").start().await;
    let rest = server.rest().await;
    let call = rest.request("POST", "/v1/functions/b:invoke?wait=10s").send();
    let refused = within("an answer", BOUND, call).await;
    assert_eq!((refused.status, refused.reason().as_str()), (502, "FunctionFailed"), "{refused:?}");
    assert!(refused.text().contains("compiling took longer than 1 s"), "{refused:?}");
    let read = async || rest.get("/v1/functions/b").await.json();
    let function = settles("its condition", SOON, read, |function| {
        function["conditions"][0]["reason"] == "CompileTimeout"
    });
    let function = function.await;
    let condition = &function["conditions"][0];
    assert_eq!((&condition["type"], &condition["status"]), (&json!("Ready"), &json!("False")), "{function}");
    assert_eq!(function["state"], "DEGRADED", "{function}");
    assert_eq!(rest.invoke("a", "still here").await.text(), "still here");
}

/// So much work that no compiler does it within a second.
const ADDITIONS: u32 = 400_000;
const BOUND: Duration = Duration::from_secs(15);

/// A valid module of the lean ABI whose one function does `additions`, a multiple of 16, over many locals, each kept in
/// memory and each 16 under a condition: work for any compiler.
fn heavy(additions: u32) -> Vec<u8> {
    const LOCALS: u32 = 4_000;
    let mut body = vec![0x01];
    leb(&mut body, LOCALS);
    body.push(0x7f);
    let local = |of: u32| of.wrapping_mul(2_654_435_761) % LOCALS + 2;
    for at in 0..additions {
        if at % 16 == 0 {
            body.push(0x20);
            leb(&mut body, local(at + 3));
            body.extend([0x04, 0x40]);
        }
        // memory[at] = local = local + local
        body.push(0x41);
        leb_signed(&mut body, at % 8_192);
        for (code, of) in [(0x20, at), (0x20, at + 7)] {
            body.push(code);
            leb(&mut body, local(of));
        }
        body.push(0x6a);
        body.push(0x22);
        leb(&mut body, local(at + 13));
        body.extend([0x36, 0x02, 0x00]);
        if at % 16 == 15 {
            body.push(0x0b);
        }
    }
    body.extend([0x42, 0x00, 0x0b]);
    let mut code = vec![0x02, 0x05, 0x00, 0x41, 0x80, 0x08, 0x0b];
    leb(&mut code, body.len() as u32);
    code.extend(body);
    let exports = [(&b"memory"[..], 2, 0), (b"ef_alloc", 0, 0), (b"ef_handle", 0, 1)];
    let mut names = vec![exports.len() as u8];
    for (name, kind, index) in exports {
        names.push(name.len() as u8);
        names.extend(name);
        names.extend([kind, index]);
    }
    let types = vec![0x02, 0x60, 0x01, 0x7f, 0x01, 0x7f, 0x60, 0x02, 0x7f, 0x7f, 0x01, 0x7e];
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    for (id, section) in
        [(1, types), (3, vec![0x02, 0x00, 0x01]), (5, vec![0x01, 0x00, 0x01]), (7, names), (10, code)]
    {
        module.push(id);
        leb(&mut module, section.len() as u32);
        module.extend(section);
    }
    module
}

fn leb(out: &mut Vec<u8>, mut value: u32) {
    while value > 0x7f {
        out.push(value as u8 & 0x7f | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// For values whose seventh bit of the last byte is no sign.
fn leb_signed(out: &mut Vec<u8>, mut value: u32) {
    while value > 0x3f {
        out.push(value as u8 & 0x7f | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
