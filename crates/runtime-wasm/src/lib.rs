//! eventflow-runtime-wasm
