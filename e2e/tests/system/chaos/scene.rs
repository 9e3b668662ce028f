//! A person kills the process in the middle of a hundred queued calls and starts it again.

use eventflow_e2e::Server;
use eventflow_e2e::checker::{Answer, History, Request, Urls, check};
use eventflow_e2e::ledger::Ledger;
use eventflow_e2e::storm::children::Mark;
use eventflow_e2e::storm::functions::{SLOW, shell};
use eventflow_e2e::storm::readback::{drained, ends, list, records};
use eventflow_e2e::wait::until;
use serde_json::json;
use std::time::Duration;

const CALLS: usize = 100;

#[tokio::test]
async fn a_hundred_queued_calls_survive_a_sigkill_in_their_middle() {
    let mark = Mark::new();
    let mut server = mark.on(Server::options()).start().await;
    let ledger = Ledger::new(server.folder().join("ledger"));
    let rest = server.rest().await;
    let mut slow = shell(SLOW.name, &format!("{}; sleep 0.05; printf %s \"$payload\"", ledger.note()));
    slow["concurrency"] = json!(4);
    slow["env"] = mark.env();
    rest.apply(&slow).await;

    let mut requests = Vec::new();
    for number in 0..CALLS {
        let payload = format!("call-{number}");
        let id = rest.invoke_async(SLOW.name, payload.clone()).await;
        let answers = vec![Answer::Accepted { id }];
        requests.push(Request { function: SLOW.name, payload, answers, ..Request::default() });
    }
    until("a third has ended", Duration::from_secs(60), async || {
        (list(&rest, "state=SUCCEEDED").await.len() >= CALLS / 3).then_some(())
    })
    .await;
    server.kill().await;
    mark.nothing_left().await;
    server.restart().await;

    let ended_before: Vec<String> =
        ends(&rest).await.into_iter().filter(|end| end.contains(" SUCCEEDED ")).collect();
    assert!(ended_before.len() < CALLS, "the kill came too late to show anything");
    drained(&rest, Duration::from_secs(60)).await;
    let records = records(&rest).await;
    let wrong = check(&History {
        programs: &[SLOW],
        requests: &requests,
        records: &records,
        starts: &ledger.starts().expect("a whole ledger"),
        kills: &[],
        harm: None,
        ended: &[],
        max_lost: 0,
        unwritten: Duration::ZERO,
        urls: Urls::default(),
    });
    assert_eq!(wrong, [""; 0]);
    assert_eq!(records.iter().filter(|record| record.state == "SUCCEEDED").count(), CALLS);
    // Four ran at once, so no more than four can have been lost.
    assert!(records.iter().map(|record| record.lost).sum::<u32>() <= 4);
    let ends = ends(&rest).await;
    assert!(ended_before.iter().all(|end| ends.contains(end)), "what had ended before the kill ran again");
}
