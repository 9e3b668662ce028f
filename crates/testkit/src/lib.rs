//! What tests share: builders, fakes, and the contract suite that each adapter of a port must pass.

pub mod builders;
pub mod clock;
pub mod contract;
pub mod fakes;
pub mod servers;

pub use builders::{FunctionBuilder, content, key, namespace, spec};
pub use clock::ManualClock;
