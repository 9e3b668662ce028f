//! eventflow-api
