//! The contract of the port `Store`.
