#![cfg(test)]
//! Functions in pods, for real: within `e2e/cluster/cluster.sh run all`, as `scripts/test.sh kube` does it.

mod pods;
#[path = "../it/world.rs"]
#[expect(dead_code, reason = "the other target uses the rest of it")]
mod world;
