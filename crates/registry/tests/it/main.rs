#![cfg(test)]

mod memory;
mod numbering;
mod postgres;
mod shared;
mod sqlite;
