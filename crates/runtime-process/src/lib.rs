//! eventflow-runtime-process
