//! The contract of the port `Registry`.
