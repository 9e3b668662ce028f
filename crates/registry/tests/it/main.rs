#![cfg(test)]

mod memory;
mod numbering;
mod sqlite;
