//! eventflow-gateway
