use super::copy::Copy;
use super::pool::Pool;
use crate::answer::Place;
use eventflow_domain::invocation::StartKind;
use eventflow_domain::ports::LogSink;
use std::sync::Arc;

/// A call's place on a copy, free again when dropped.
#[derive(Debug)]
pub(super) struct Lease {
    pool: Arc<Pool>,
    pub(super) copy: Arc<Copy>,
    pub(super) start: StartKind,
    call: u64,
}

impl Lease {
    pub(super) fn new(pool: Arc<Pool>, copy: Arc<Copy>, start: StartKind, call: u64) -> Self {
        Self { pool, copy, start, call }
    }

    pub(super) fn attach(&self, logs: Arc<dyn LogSink>) {
        self.copy.output.attach(self.call, logs);
    }
}

impl Place for Lease {
    /// What it left running in the copy shall not go on for ever: the copy takes no more calls and ends with its last.
    fn overran(&self) {
        if let Some(slot) = self.pool.state.lock().slot(&self.copy) {
            slot.draining = true;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.copy.output.detach(self.call);
        self.pool.release(&self.copy);
    }
}
