//! eventflow-auth
