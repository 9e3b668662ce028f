//! The contract of the port `Runtime`, for job mode: what holds of every runtime, whatever the code is written in.
//!
//! An adapter brings the same small [`Program`]s in its own language and calls each function of this module from a
//! test of the same name; [`crate::runtime_suite`] writes those tests:
//!
//! ```ignore
//! async fn suite() -> Suite { Suite::new(runtime, |program| version_of(program)) }
//! eventflow_testkit::runtime_suite!(suite().await);
//! ```

mod ends;
mod results;
mod sinks;

pub use ends::{
    a_dropped_run_ends, a_program_without_end_is_ended_at_its_timeout, many_runs_at_once_do_not_mix,
    retired_code_runs_again_after_prepare,
};
pub use results::{
    a_job_gives_back_its_payload, a_non_zero_exit_is_a_failure_with_its_code,
    a_run_leaves_nothing_for_the_next, only_the_given_environment_is_seen, printing_a_lot_stays_bounded,
    what_is_printed_is_captured_by_stream,
};
pub use sinks::CountingSink;

use crate::fakes::CapturedLogs;
use eventflow_domain::invocation::Content;
use eventflow_domain::ports::{Call, LogSink, Ran, Runtime};
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{FunctionVersion, InvocationId};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A program that the adapter brings, as the version of a function in job mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Program {
    /// Copies stdin to stdout and exits with 0.
    Echo,
    /// Prints the line `to stdout` to stdout and the line `to stderr` to stderr.
    PrintBoth,
    /// Prints the line `giving up` to stderr and exits with 7.
    ExitSeven,
    /// Never ends, busy or asleep.
    Forever,
    /// Prints the line `tick` to stdout again and again, at least 20 times a second, without end.
    Ticker,
    /// Prints its environment to stdout, one `NAME=value` to a line.
    PrintEnv,
    /// Prints `fresh` where it finds no trace of an earlier run in what it can write to (memory, its working
    /// directory), leaves a trace there, and prints `used` where it finds one.
    Canary,
    /// Prints [`FLOOD_LINES`] lines of 64 bytes (line end included) to stdout, then the line `end`.
    Flood,
}

/// Lines that [`Program::Flood`] prints: 8 MiB.
pub const FLOOD_LINES: usize = 128 << 10;

/// A runtime and its programs.
pub struct Suite {
    pub runtime: Arc<dyn Runtime>,
    version: Box<dyn Fn(Program) -> Arc<FunctionVersion> + Send + Sync>,
    /// How long after its timeout a run may end. Default 100 ms.
    pub overrun: Duration,
    /// Runs that are started together. Default 24.
    pub at_once: usize,
    /// A program prints by then. Default 500 ms.
    pub starts_within: Duration,
}

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suite").field("runtime", &self.runtime).finish_non_exhaustive()
    }
}

impl Suite {
    pub fn new(
        runtime: Arc<dyn Runtime>,
        version: impl Fn(Program) -> Arc<FunctionVersion> + Send + Sync + 'static,
    ) -> Self {
        Self {
            runtime,
            version: Box::new(version),
            overrun: Duration::from_millis(100),
            at_once: 24,
            starts_within: Duration::from_millis(500),
        }
    }

    #[must_use]
    pub fn overrun(mut self, overrun: Duration) -> Self {
        self.overrun = overrun;
        self
    }

    #[must_use]
    pub fn at_once(mut self, runs: usize) -> Self {
        self.at_once = runs;
        self
    }

    #[must_use]
    pub fn starts_within(mut self, patience: Duration) -> Self {
        self.starts_within = patience;
        self
    }

    /// The version of a program, made ready.
    pub(super) async fn prepared(&self, program: Program) -> Arc<FunctionVersion> {
        let version = (self.version)(program);
        let readiness = self.runtime.prepare(&version).await;
        assert!(readiness.is_ready(), "{program:?} should be ready: {readiness:?}");
        version
    }

    pub(super) async fn run(&self, call: Call) -> (Ran, Arc<CapturedLogs>) {
        let logs = Arc::new(CapturedLogs::default());
        let ran = self.runtime.run(call, Arc::clone(&logs) as Arc<dyn LogSink>).await;
        (ran, logs)
    }
}

/// A call of a version with a payload; change its fields for anything else.
pub fn call(version: &Arc<FunctionVersion>, payload: impl Into<bytes::Bytes>) -> Call {
    Call {
        invocation: InvocationId::generate(),
        attempt: 1,
        version: Arc::clone(version),
        env: Arc::new([]),
        payload: Content { bytes: payload.into(), content_type: None },
        trace: TraceContext::generate(),
        timeout: Duration::from_secs(20),
        start_deadline: Duration::from_secs(20),
        adopted: false,
    }
}

/// The output of a run that must have succeeded.
#[track_caller]
pub fn output(ran: Ran) -> Content {
    assert_eq!(ran.failure, None, "the run should succeed");
    ran.output.expect("a successful run should have an output").content
}

/// Writes one test for each clause of the contract; the argument is an expression of type `Suite`, evaluated in an
/// async context, once for each test.
#[macro_export]
macro_rules! runtime_suite {
    ($suite:expr) => {
        $crate::runtime_suite!(@tests $suite;
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
        );
    };
    (@tests $suite:expr; $($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::contract::runtime::$name(&$suite).await;
            }
        )*
    };
}
