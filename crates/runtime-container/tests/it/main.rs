#![cfg(test)]
//! Container functions on a real engine. Tests say `SKIPPED` where this machine runs no containers at all.

mod contract;
mod engine;
mod http;
mod job;
mod leftovers;
mod support;
