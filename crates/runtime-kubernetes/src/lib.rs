//! The port `Runtime` over Kubernetes: a Job for each attempt, or requests to ready pods.
