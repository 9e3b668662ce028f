//! The contract of the port `Bus`.
