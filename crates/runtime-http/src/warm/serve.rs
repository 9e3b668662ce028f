//! One request, from its place on a copy to the head of the answer.

use super::copy::Copy;
use super::lease::Lease;
use super::pool::Refusal;
use super::pools::Pools;
use crate::answer::{Answered, Place as _};
use crate::connections::Error;
use crate::request;
use eventflow_domain::error::Chain;
use eventflow_domain::invocation::{Failure, Reason};
use eventflow_domain::ports::{Call, Clock, HttpRequest, HttpResponse, LogSink};
use eventflow_domain::quantity::format_duration;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A connection that breaks because its copy died: until that is known.
const CRASH: Duration = Duration::from_millis(300);
/// Copies that a call is offered to, where each takes nothing of it.
const OFFERS: usize = 3;
/// Pools that a call is offered to, while each is closed under it.
const POOLS: usize = 3;

pub(super) async fn serve(
    pools: &Pools,
    clock: &dyn Clock,
    call: Call,
    request: HttpRequest,
    logs: Arc<dyn LogSink>,
) -> Result<HttpResponse, Failure> {
    let mut lease = acquire(pools, &call).await?;
    let mut request = request::build(&call, request, lease.copy.connections.address());
    let mut offers = 1;
    loop {
        lease.attach(Arc::clone(&logs));
        let started_at = clock.now();
        let deadline = Instant::now() + call.timeout;
        let connections = &lease.copy.connections;
        let sent = async {
            tokio::select! {
                biased;
                sent = connections.try_send(request) => Some(sent),
                // One that is gone may never say so on its connection.
                () = gone(&lease.copy) => None,
            }
        };
        match tokio::time::timeout_at(deadline, sent).await {
            Ok(None) => {
                let crash = lease.copy.crashed().await;
                return Err(crash.map_or_else(shut_down, ended));
            }
            Ok(Some(Ok((response, sender)))) => {
                let (connections, start) = (Arc::clone(connections), lease.start);
                let answered =
                    Answered { response, sender, connections, place: lease, start, started_at, deadline };
                return Ok(answered.passed_on());
            }
            // It took nothing of the request: about to go, and not known to be gone yet.
            Ok(Some(Err((_, Some(back))))) if offers < OFFERS => {
                offers += 1;
                let before = connections.address();
                lease.overran();
                drop(lease);
                lease = acquire(pools, &call).await?;
                request = request::address(back, before, lease.copy.connections.address());
            }
            Ok(Some(Err((error, _)))) => return Err(no_answer(&lease.copy, &error).await),
            Err(_) => {
                lease.overran();
                let timeout = format_duration(call.timeout);
                let text = format!("gave no answer within its timeout of {timeout}");
                return Err(Failure::new(Reason::Timeout, text));
            }
        }
    }
}

/// A version that is retired while a call waits is still the one that the call is for: a new pool takes it.
async fn acquire(pools: &Pools, call: &Call) -> Result<Lease, Failure> {
    for _ in 0..POOLS {
        match pools.pool(&call.version).acquire(&call.env, call.start_deadline).await {
            Ok(lease) => return Ok(lease),
            Err(Refusal::Failed(failure)) => return Err(failure),
            Err(Refusal::Closed) => {}
        }
    }
    Err(Failure::new(Reason::RuntimeUnavailable, "the version is being retired"))
}

/// The copy has been gone for a while.
async fn gone(copy: &Copy) {
    copy.crashed().await;
    tokio::time::sleep(CRASH).await;
}

fn ended(crash: Failure) -> Failure {
    if crash.reason == Reason::OutOfMemory {
        return crash;
    }
    Failure::new(Reason::NoAnswer, format!("the copy ended: {}", crash.message))
}

fn shut_down() -> Failure {
    Failure::new(Reason::NoAnswer, "the copy was ended under the call")
}

async fn no_answer(copy: &Copy, error: &Error) -> Failure {
    match tokio::time::timeout(CRASH, copy.crashed()).await {
        Ok(Some(crash)) => ended(crash),
        Ok(None) | Err(_) => Failure::new(Reason::NoAnswer, Chain(error).to_string()),
    }
}
