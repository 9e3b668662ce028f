use crate::time::Timestamp;
use std::fmt::Debug;
use std::time::Duration;

/// Time, so that tests need not wait for it.
pub trait Clock: Debug + Send + Sync {
    /// The wall clock: for what people read. May step.
    fn now(&self) -> Timestamp;

    /// Time since an arbitrary start; never steps back. Deadlines are measured by it.
    fn monotonic(&self) -> Duration;
}
