//! The Kubernetes-style manifest.
