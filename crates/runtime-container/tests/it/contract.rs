//! What holds of every runtime holds of this one.

use crate::support::{Room, room, sh};
use eventflow_domain::ports::Runtime;
use eventflow_testkit::contract::runtime::{self as clauses, FLOOD_LINES, Program, Suite};
use std::sync::Arc;
use std::time::Duration;

fn script(program: Program) -> String {
    match program {
        Program::Echo => "exec cat $EVENTFLOW_PAYLOAD_FILE".to_owned(),
        Program::PrintBoth => "echo to stdout; echo to stderr >&2".to_owned(),
        Program::ExitSeven => "echo giving up >&2; exit 7".to_owned(),
        Program::Forever => "exec sleep 1000".to_owned(),
        Program::Ticker => "while echo tick; do sleep 0.02; done".to_owned(),
        Program::PrintEnv => "exec env".to_owned(),
        Program::Canary => {
            "if ls -A / /tmp /eventflow/out | grep -q canary; then echo used; else echo fresh; fi; \
             touch /canary /tmp/canary /eventflow/out/canary"
                .to_owned()
        }
        Program::Flood => format!("yes {} | head -n {FLOOD_LINES}; echo end", "x".repeat(63)),
    }
}

async fn suite() -> Option<Suite> {
    let Room { runtime, .. } = room().await?;
    let suite = Suite::new(runtime as Arc<dyn Runtime>, |program| sh(&script(program)));
    // The grace, the engine's own pace, and a busy machine.
    Some(suite.overrun(Duration::from_secs(2)).starts_within(Duration::from_secs(5)).at_once(6))
}

macro_rules! clauses {
    ($($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(suite) = suite().await {
                    clauses::$name(&suite).await;
                }
            }
        )*
    };
}

clauses! {
    a_job_gives_back_its_payload
    what_is_printed_is_captured_by_stream
    a_non_zero_exit_is_a_failure_with_its_code
    only_the_given_environment_is_seen
    a_run_leaves_nothing_for_the_next
    printing_a_lot_stays_bounded
    a_program_without_end_is_ended_at_its_timeout
    a_dropped_run_ends
    many_runs_at_once_do_not_mix
    retired_code_runs_again_after_prepare
}
