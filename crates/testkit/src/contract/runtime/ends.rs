use super::{CountingSink, Program, Suite, call, output};
use eventflow_domain::Reason;
use eventflow_domain::ports::LogSink;
use futures::future::join_all;
use pretty_assertions::assert_eq;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How often a bound on time is tried: a machine that is busy with other things proves nothing.
const TRIES: usize = 3;

/// The time over the limit is measured up to three times; one within the bound is enough.
pub async fn a_program_without_end_is_ended_at_its_timeout(suite: &Suite) {
    let version = suite.prepared(Program::Forever).await;
    let limit = Duration::from_millis(300);
    let mut overruns = Vec::new();
    for _ in 0..TRIES {
        let mut call = call(&version, "");
        call.timeout = limit;
        let started = Instant::now();
        let (ran, _) = suite.run(call).await;
        let took = started.elapsed();
        let failure = ran.failure.expect("a failure");
        assert_eq!(failure.reason, Reason::Timeout);
        assert!(took >= limit, "it was ended after {took:?}, before its timeout");
        overruns.push(took.saturating_sub(limit));
        if overruns.iter().any(|late| *late <= suite.overrun) {
            return;
        }
    }
    assert!(overruns.is_empty(), "ended late by {overruns:?}");
}

/// Within 5 seconds nothing prints any more.
pub async fn a_dropped_run_ends(suite: &Suite) {
    let version = suite.prepared(Program::Ticker).await;
    let sink = Arc::new(CountingSink::default());
    let run = suite.runtime.run(call(&version, ""), Arc::clone(&sink) as Arc<dyn LogSink>);
    assert!(timeout(suite.starts_within, run).await.is_err(), "the ticker should not end by itself");
    assert!(sink.bytes() > 0, "the ticker should have printed");
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let before = sink.bytes();
        sleep(Duration::from_millis(300)).await;
        if sink.bytes() == before {
            return;
        }
        assert!(Instant::now() < deadline, "the program still prints 5 s after its run was dropped");
    }
}

pub async fn many_runs_at_once_do_not_mix(suite: &Suite) {
    let version = suite.prepared(Program::Echo).await;
    let runs = (0..suite.at_once).map(|n| {
        let call = call(&version, format!("payload {n}"));
        async move { (n, suite.run(call).await.0) }
    });
    for (n, ran) in join_all(runs).await {
        assert_eq!(output(ran).bytes, format!("payload {n}"));
    }
}

pub async fn retired_code_runs_again_after_prepare(suite: &Suite) {
    let version = suite.prepared(Program::Echo).await;
    suite.runtime.retire(&version.key, version.uid, None).await;
    let readiness = suite.runtime.prepare(&version).await;
    assert!(readiness.is_ready(), "{readiness:?}");
    let (ran, _) = suite.run(call(&version, "again")).await;
    assert_eq!(output(ran).bytes, "again");
}
