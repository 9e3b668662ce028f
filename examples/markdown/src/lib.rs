//! Markdown to HTML, as a `wasi:http/incoming-handler` component.
//!
//! [`render`](render::page) is pure and is tested natively; [`handler`] speaks HTTP and exists for WebAssembly only.

pub mod render;

#[cfg(target_os = "wasi")]
mod handler;
