//! eventflow-blobs
