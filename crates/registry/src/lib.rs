//! eventflow-registry
