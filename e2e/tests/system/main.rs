//! The system as people get it: the real binary, real clients.
#![cfg(test)]

mod chaos;
mod health;
