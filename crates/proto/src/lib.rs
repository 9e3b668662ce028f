//! eventflow-proto
