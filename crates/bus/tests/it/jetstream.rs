//! The bus over a real nats-server: the contract, and what is its own.

mod contract;
mod faults;
mod streams;
mod support;
mod work;
