//! The wasi:http component that both sides run.

use anyhow::{Context as _, Result, ensure};
use std::path::{Path, PathBuf};
use tokio::process::Command;

const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/guest/Cargo.toml");

/// Builds the component beside this program; some seconds at the first time.
pub(crate) async fn build() -> Result<PathBuf> {
    let exe = std::env::current_exe()?;
    let target =
        exe.parent().and_then(Path::parent).context("this program lies nowhere")?.join("bench-guest");
    let built = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--locked",
            "--release",
            "--target",
            "wasm32-wasip2",
            "--manifest-path",
            MANIFEST,
        ])
        .arg("--target-dir")
        .arg(&target)
        .output()
        .await
        .context("failed to start cargo")?;
    ensure!(
        built.status.success(),
        "the component cannot be built (`rustup target add wasm32-wasip2` installs its target): {}",
        String::from_utf8_lossy(&built.stderr).trim()
    );
    Ok(target.join("wasm32-wasip2/release/bench_guest.wasm"))
}
