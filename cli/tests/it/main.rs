#![cfg(test)]
//! The binary as a person runs it.

mod config;
mod docs;
mod logs;
mod metrics;
mod otlp;
mod server;
mod trace;
