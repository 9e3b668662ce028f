#![cfg(test)]
//! The dispatcher over the real store, bus, registry and blobs of one machine; only the user code is scripted.

mod faulty;
mod lifecycle;
mod limits;
mod logs;
mod outage;
mod proxy;
mod restart;
mod retries;
mod scripted;
mod soak;
mod sync;
mod world;
