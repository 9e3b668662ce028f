//! The server killed, stopped, starved and flooded, and every call accounted for.

mod edges;
mod fairness;
mod full_disk;
mod graceful;
mod scene;
mod storm;
