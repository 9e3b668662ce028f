#![cfg(test)]
//! Process functions on real processes.

mod contract;
mod death;
mod http;
mod job;
mod support;
mod warm;
