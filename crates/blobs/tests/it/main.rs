#![cfg(test)]

mod folder;
mod fsync;
