#![cfg(test)]

#[cfg(feature = "kubernetes")]
mod kubernetes;
mod memory;
mod numbering;
mod postgres;
mod shared;
mod sqlite;
