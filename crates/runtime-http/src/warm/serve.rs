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
/// Pools that a call is offered to, while each is closed under it.
const POOLS: usize = 3;

pub(super) async fn serve(
    pools: &Pools,
    clock: &dyn Clock,
    call: Call,
    request: HttpRequest,
    logs: Arc<dyn LogSink>,
) -> Result<HttpResponse, Failure> {
    let lease = acquire(pools, &call).await?;
    lease.attach(logs);
    let started_at = clock.now();
    let deadline = Instant::now() + call.timeout;
    let connections = &lease.copy.connections;
    let request = request::build(&call, request, connections.address());
    match tokio::time::timeout_at(deadline, connections.send(request)).await {
        Ok(Ok((response, sender))) => {
            let (connections, start) = (Arc::clone(connections), lease.start);
            let answered =
                Answered { response, sender, connections, place: lease, start, started_at, deadline };
            Ok(answered.passed_on())
        }
        Ok(Err(error)) => Err(no_answer(&lease.copy, &error).await),
        Err(_) => {
            lease.overran();
            let timeout = format_duration(call.timeout);
            Err(Failure::new(Reason::Timeout, format!("gave no answer within its timeout of {timeout}")))
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

async fn no_answer(copy: &Copy, error: &Error) -> Failure {
    match tokio::time::timeout(CRASH, copy.crashed()).await {
        Ok(Some(crash)) if crash.reason == Reason::OutOfMemory => crash,
        Ok(Some(crash)) => Failure::new(Reason::NoAnswer, format!("the copy ended: {}", crash.message)),
        Ok(None) | Err(_) => Failure::new(Reason::NoAnswer, Chain(error).to_string()),
    }
}
