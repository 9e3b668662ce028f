//! eventflow-bus
