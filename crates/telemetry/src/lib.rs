//! eventflow-telemetry
