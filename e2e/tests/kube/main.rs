//! EventFlow on a real Kubernetes, see `e2e/cluster`: overlays and objects against a control plane of its own, everything
//! that runs as pods in the cluster that `scripts/test.sh kube` starts.
#![cfg(test)]

mod anew;
mod calls;
mod components;
mod control;
mod details;
mod faults;
mod functions;
mod images;
mod node;
mod overlays;
mod rights;
mod soak;
mod stack;
