//! An image in, a thumbnail out: PNG or JPEG bytes on stdin, the smaller picture on stdout.
//!
//! `MAX_SIZE` (1 to 4096, default 256) is the longest side in pixels, `FORMAT` (`png`, `jpeg`; default: that of the
//! input) the format of the answer. Lines on stderr become the log of the call.

mod thumbnail;

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use thumbnail::Settings;

/// Larger inputs are refused before they are decoded.
const LIMIT: u64 = 32 << 20;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let settings = Settings::read(|name| std::env::var(name).ok())?;
    let mut input = Vec::new();
    io::stdin()
        .take(LIMIT + 1)
        .read_to_end(&mut input)
        .map_err(|error| format!("failed to read the image: {error}"))?;
    if input.len() as u64 > LIMIT {
        return Err(format!("the image is larger than {LIMIT} bytes"));
    }
    let made = thumbnail::make(&input, &settings)?;
    eprintln!(
        "{}x{} ({} bytes) -> {}x{} ({} bytes)",
        made.from.0,
        made.from.1,
        input.len(),
        made.to.0,
        made.to.1,
        made.bytes.len()
    );
    let mut out = io::stdout().lock();
    out.write_all(&made.bytes).and_then(|()| out.flush()).map_err(|error| format!("failed to write: {error}"))
}
