//! eventflow-store
