#![cfg(test)]
//! The wasm runtime against real wasmtime and real modules.

mod abi;
mod blobs;
mod cache;
mod components;
mod contract;
mod guests;
mod hostile;
mod programs;
mod refusals;
mod world;
