//! The contract of the port `Blobs`.
