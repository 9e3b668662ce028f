//! eventflow-dispatcher
