//! Components written in Rust, built once for all tests.

use bytes::Bytes;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

static BUILT: OnceLock<(Bytes, Bytes)> = OnceLock::new();

/// The wasi:http component with one behaviour for each path.
pub(crate) fn http() -> Bytes {
    BUILT.get_or_init(build).0.clone()
}

/// The wasi:cli component that gives back its input in capitals.
pub(crate) fn job() -> Bytes {
    BUILT.get_or_init(build).1.clone()
}

fn build() -> (Bytes, Bytes) {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/guests/Cargo.toml");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    let built = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--locked",
            "--release",
            "--target",
            "wasm32-wasip2",
            "--manifest-path",
            source,
        ])
        .arg("--target-dir")
        .arg(&target)
        .output()
        .expect("cargo should start");
    assert!(
        built.status.success(),
        "the guests should build (`rustup target add wasm32-wasip2` installs their target):\n{}",
        String::from_utf8_lossy(&built.stderr)
    );
    let read = |name: &str| {
        let file = target.join("wasm32-wasip2/release").join(name);
        Bytes::from(std::fs::read(file).expect("a built guest"))
    };
    (read("guests.wasm"), read("job.wasm"))
}
