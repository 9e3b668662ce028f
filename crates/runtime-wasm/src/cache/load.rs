//! The one place that loads native code.
#![expect(
    unsafe_code,
    reason = "loads compiled code that this process, or one before it, wrote and authenticated"
)]

use super::Compiled;
use std::path::Path;
use wasmtime::component::Component;
use wasmtime::{Engine, Module, Precompiled};

/// Maps an entry of the cache whose MAC has been checked.
pub(super) fn file(engine: &Engine, path: &Path) -> wasmtime::Result<Compiled> {
    match Engine::detect_precompiled_file(path)? {
        Some(Precompiled::Module) => {
            // SAFETY: the file lies in a folder that only this user can write to, and its content is what wasmtime
            // gave us, as its MAC says; entries are replaced by renaming, never changed in place.
            unsafe { Module::deserialize_file(engine, path) }.map(Compiled::Module)
        }
        Some(Precompiled::Component) => {
            // SAFETY: as above.
            unsafe { Component::deserialize_file(engine, path) }.map(Compiled::Component)
        }
        None => Err(wasmtime::format_err!("not compiled code")),
    }
}

/// Loads what the compiler returned a moment ago.
pub(super) fn bytes(engine: &Engine, code: &[u8]) -> wasmtime::Result<Compiled> {
    match Engine::detect_precompiled(code) {
        Some(Precompiled::Module) => {
            // SAFETY: the bytes come from the compiler in this process and have not left it.
            unsafe { Module::deserialize(engine, code) }.map(Compiled::Module)
        }
        Some(Precompiled::Component) => {
            // SAFETY: as above.
            unsafe { Component::deserialize(engine, code) }.map(Compiled::Component)
        }
        None => Err(wasmtime::format_err!("not compiled code")),
    }
}
