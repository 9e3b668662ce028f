#![cfg(test)]

mod folder;
mod fsync;
mod postgres;
mod s3;
mod shared;
