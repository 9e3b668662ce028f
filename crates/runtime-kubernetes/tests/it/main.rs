#![cfg(test)]
//! Against a real API server, with the real Job controller; the tests play the kubelet. With one: the target `kube`.

mod jobs;
mod taken_over;
mod transfers;
mod world;
