//! EventFlow on a real Kubernetes, see `e2e/cluster`: overlays and objects against a control plane of its own, everything
//! that runs as pods in the cluster that `scripts/test.sh kube` starts.
#![cfg(test)]

mod control;
mod images;
mod overlays;
mod rights;
