#![cfg(test)]

mod collect;
mod folder;
mod fsync;
