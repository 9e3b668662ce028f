//! A wasi:cli component: copies stdin to stdout in capitals, and fails where its first argument says so.

use std::io::{Read, Write};

fn main() {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).unwrap();
    let fails = std::env::args().nth(1).as_deref() == Some("--fail");
    if fails {
        eprintln!("asked to fail");
        std::process::exit(1);
    }
    std::io::stdout().write_all(text.to_uppercase().as_bytes()).unwrap();
}
