//! Real servers for contract tests: each on a free loopback port, in a temporary folder, ended together with the test
//! process, however that one ends.

mod guarded;
pub mod kubernetes;
pub mod nats;
pub mod podman;
pub mod postgres;
pub mod s3;

pub use guarded::{Guarded, Signal};

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Below the ports that systems give to whoever asks for any: what is killed gets its port back.
const PORTS: std::ops::Range<u16> = 10_000..30_000;

/// A loopback port that is free now and was not given before. Another process may take it before the server does: try
/// again then.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Processes that test at once begin far from each other.
    let first = std::process::id().wrapping_mul(2_654_435_761);
    let span = u32::from(PORTS.end - PORTS.start);
    (0..span)
        .map(|_| PORTS.start + (first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % span) as u16)
        .find(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
        .expect("a free loopback port")
}

/// Where a program is: among the project's own tools, on the `PATH`, or in one of `folders`, the last one first.
///
/// # Panics
/// Where it is nowhere: a server that cannot be had is a failure, not a skip.
#[expect(clippy::panic, reason = "this is test code in a library")]
pub fn program(name: &str, folders: &[PathBuf]) -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = folders.iter().rev().cloned().chain([tools]).chain(std::env::split_paths(&path));
    let found = folders.map(|folder| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{name} is missing: `make setup` installs it"))
}
