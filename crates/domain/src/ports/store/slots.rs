use crate::error::Result;
use crate::ids::{FunctionUid, WorkerId};
use async_trait::async_trait;
use std::fmt::Debug;
use std::time::Duration;

/// How many calls of a function a worker wants to run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotWant {
    pub function: FunctionUid,
    /// Of all workers together.
    pub limit: u32,
    /// All it wants, those in use included; 0 = it lets go of all that are not in use.
    pub want: u32,
    /// Slots that calls run in, or may before the answer comes: of those it had, these are not taken away.
    pub used: u32,
    /// Slots that calls run in now.
    pub running: u32,
}

/// Concurrency limits over all workers.
#[async_trait]
pub trait SlotStore: Debug + Send + Sync {
    /// Leases slots of each function to this worker, in place of those it had; what it may use until the lease ends,
    /// in order. The grants of all workers whose leases run never add up to more than `limit` (but where `limit` was
    /// lowered under calls that run). Where more is wanted than there is, each gets its fair share, as soon as the
    /// others renew or their leases end. To be asked again well within the lease.
    async fn lease_slots(&self, wants: Vec<SlotWant>, worker: &WorkerId, lease: Duration)
    -> Result<Vec<u32>>;

    /// How many calls of each function its workers said they run when they last asked; of workers whose leases run.
    async fn slots_used(&self) -> Result<Vec<(FunctionUid, u32)>>;
}
