//! The harness of the system tests: it starts the real `eventflow`, and speaks to it as people do.
//!
//! It fails by panicking with the reason, as a test does: nothing here is part of the product.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "code of tests, though not compiled as a test"
)]

pub mod chaos;
pub mod checker;
pub mod cli;
pub mod disk;
pub mod fleet;
pub mod grpc;
pub mod ledger;
pub mod rest;
pub mod server;
pub mod shape;
pub mod storm;
pub mod support;
pub mod wait;

pub use cli::Cli;
pub use grpc::Grpc;
pub use rest::{Answer, Rest};
pub use server::Server;

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The binary under test: `$EVENTFLOW_BIN`, else the one that lies in the target folder of this test.
pub fn binary() -> PathBuf {
    if let Some(given) = std::env::var_os("EVENTFLOW_BIN") {
        return given.into();
    }
    let test = std::env::current_exe().unwrap();
    let found = test.ancestors().map(|folder| folder.join("eventflow")).find(|path| path.is_file());
    found.expect("no `eventflow` beside the tests: run `cargo build -p eventflow-cli`, or set EVENTFLOW_BIN")
}

/// Says that a test cannot run here; written past the capture of `print!`, so that it is seen and counted.
///
/// Where `CI` is set, what `make test` installs must be there: then this is a failure.
pub fn skipped(reason: &str, required_in_ci: bool) {
    assert!(
        !required_in_ci || std::env::var_os("CI").is_none_or(|ci| ci != "true"),
        "required where CI=true, but {reason}"
    );
    std::io::stderr().write_all(format!("SKIPPED: {reason}\n").as_bytes()).unwrap();
}
