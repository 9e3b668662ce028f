//! How long it takes until a call comes through from end to end again.

use crate::checker::{Answer, Request};
use crate::storm::functions::PROBE;
use crate::storm::tries::{Clients, Told, Try, Way};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// A new call is tried so often.
const EVERY: Duration = Duration::from_millis(250);
const POLL: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(super) struct Probe {
    clients: Clients,
    count: usize,
    /// What was asked for.
    pub(super) requests: Vec<Request>,
}

impl Probe {
    pub(super) fn new(clients: Clients) -> Self {
        Self { clients, count: 0, requests: Vec::new() }
    }

    /// The time from now to the first end of a call that is accepted, goes over outbox and broker, and is run. `None` =
    /// longer than `bound`.
    pub(super) async fn first_success(&mut self, bound: Duration) -> Option<Duration> {
        let begun = Instant::now();
        let mut calls = JoinSet::new();
        let succeeded = async {
            loop {
                self.count += 1;
                calls.spawn(call(self.clients.clone(), format!("probe-{}", self.count)));
                if let Ok(Some(done)) = timeout(EVERY, calls.join_next()).await
                    && let Ok((request, true)) = done
                {
                    return request;
                }
            }
        };
        let request = timeout(bound, succeeded).await;
        let healed = request.is_ok().then(|| begun.elapsed());
        // What the others asked for nobody knows: they may have been accepted all the same.
        for number in (1..=self.count).rev() {
            let payload = format!("probe-{number}");
            if self.requests.iter().any(|request| request.payload == payload) {
                break;
            }
            self.requests.push(Request { function: PROBE.name, payload, ..Request::default() });
        }
        if let Ok(request) = request
            && let Some(known) = self.requests.iter_mut().find(|known| known.payload == request.payload)
        {
            *known = request;
        }
        healed
    }
}

/// A call and whether it succeeded.
async fn call(clients: Clients, payload: String) -> (Request, bool) {
    let call = Try { function: PROBE.name, payload, way: Way::Async, keyed: false };
    let told = clients.send(&call, false).await;
    let mut request = Request { function: PROBE.name, payload: call.payload, ..Request::default() };
    let Told::Answer(Answer::Accepted { id }) = told else { return (request, false) };
    request.answers.push(Answer::Accepted { id: id.clone() });
    loop {
        let read = clients.rest().request("GET", &format!("/v1/invocations/{id}")).try_send();
        if let Ok(Ok(record)) = timeout(Duration::from_secs(1), read).await
            && record.status == 200
            && record.json()["state"] == "SUCCEEDED"
        {
            return (request, true);
        }
        sleep(POLL).await;
    }
}
