#![cfg(test)]

mod memory;
mod numbering;
