#![cfg(test)]
//! The operator against a real API server.

mod admission;
mod conflicts;
mod crashes;
mod edits;
mod idle;
mod leaders;
mod life;
mod outage;
mod stored;
mod support;
