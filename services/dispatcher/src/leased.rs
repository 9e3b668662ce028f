//! One attempt under a lease.

use crate::attempt::{Work, carry_out};
use crate::core::Core;
use crate::settle::settle;
use eventflow_domain::ports::Lease;
use std::sync::Arc;

/// One attempt that is committed as ours, from its start to its settle.
pub(crate) async fn run_leased(core: &Core, work: Work) {
    let lease = Lease { invocation: work.invocation.id, epoch: work.invocation.lifecycle.epoch };
    let hold = core.leases.hold(lease, Arc::clone(&work.control));
    let finish = carry_out(core, &work).await;
    if work.logs.close() {
        // The lines are readable when the record says the attempt ended. If not, the writer tries again.
        work.logs.flush().await;
    }
    settle(core, &work, &finish, false).await;
    drop(hold);
}
