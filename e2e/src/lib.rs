//! eventflow-e2e
