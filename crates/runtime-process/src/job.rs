//! Job mode: the command once per call.

use crate::child::{self, Child};
use crate::runtime::Shared;
use crate::scratch::Scratch;
use crate::wire::{Exit, Order};
use crate::{environment, result};
use eventflow_domain::Timestamp;
use eventflow_domain::invocation::{Content, Failure, Output, Reason, StartKind};
use eventflow_domain::logs::Stream;
use eventflow_domain::ports::{Call, LogSink, Ran};
use eventflow_domain::quantity::format_duration;
use eventflow_runtime_http::Tail;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// After everything has ended nobody can hold the pipes, but one who was given them from outside.
const LEFTOVER_OUTPUT: Duration = Duration::from_millis(500);

pub(crate) async fn run(shared: &Arc<Shared>, call: Call, logs: &dyn LogSink) -> Ran {
    let mut ran = Ran {
        start: StartKind::Cold,
        started_at: shared.clock.now(),
        output: None,
        failure: None,
        exit_code: None,
    };
    match carry_out(shared, &call, logs, &mut ran.started_at, &mut ran.exit_code).await {
        Ok(content) => ran.output = Some(Output { content, status: None }),
        Err(failure) => ran.failure = Some(failure),
    }
    ran
}

async fn carry_out(
    shared: &Arc<Shared>,
    call: &Call,
    logs: &dyn LogSink,
    started_at: &mut Timestamp,
    exit_code: &mut Option<i32>,
) -> Result<Content, Failure> {
    let (mut child, result_file) =
        tokio::time::timeout(call.start_deadline, start(shared, call)).await.unwrap_or_else(|_| {
            let deadline = format_duration(call.start_deadline);
            Err(Failure::new(Reason::StartDeadline, format!("was not started within {deadline}")))
        })?;
    *started_at = shared.clock.now();

    let mut tail = Tail::new(shared.config.bounds.stdout_result);
    let end = watch(&mut child, call.timeout, logs, &mut tail).await;
    let content = match end.failure(call) {
        Some(failure) => Err(failure),
        None => collect(shared, result_file, tail).await,
    };
    *exit_code = end.exit.and_then(|exit| exit.code).filter(|_| !end.timed_out);
    child.control.farewell().await;
    content
}

async fn start(shared: &Arc<Shared>, call: &Call) -> Result<(Child, PathBuf), Failure> {
    let (shared, call) = (Arc::clone(shared), call.clone());
    // Files and a new program: work that blocks.
    let launched = tokio::task::spawn_blocking(move || launch(&shared, &call)).await;
    let cannot =
        |cause: String| Failure::new(Reason::Internal, format!("failed to start the launcher: {cause}"));
    let (mut child, result) =
        launched.map_err(|error| cannot(error.to_string()))?.map_err(|error| cannot(error.to_string()))?;
    match child.control.started().await {
        Ok(()) => Ok((child, result)),
        Err(failure) => {
            child.control.farewell().await;
            Err(failure)
        }
    }
}

fn launch(shared: &Shared, call: &Call) -> std::io::Result<(Child, PathBuf)> {
    let mut scratch = Scratch::create(&shared.scratch, &shared.unique_name())?;
    scratch.write_payload(&call.payload.bytes)?;
    let (payload, result) = (scratch.payload(), scratch.result());
    let env = environment::of_job(&shared.config.base_env, call, scratch.path(), &payload, &result);
    let order = Order { stdin: Some(payload), ..shared.order(&call.version.spec, env, scratch.path()) };
    Ok((Child::launch(&shared.config.launcher, &mut scratch, &order)?, result))
}

/// How a job's command ended.
#[derive(Debug, Clone, Copy)]
struct End {
    exit: Option<Exit>,
    timed_out: bool,
}

impl End {
    fn failure(&self, call: &Call) -> Option<Failure> {
        if self.timed_out {
            let timeout = format_duration(call.timeout);
            return Some(Failure::new(Reason::Timeout, format!("ran longer than its timeout of {timeout}")));
        }
        child::failure(self.exit, call.version.spec.resources.memory.0)
    }
}

/// Until the command has ended, by itself or at its timeout. What it prints goes on as it comes.
async fn watch(child: &mut Child, timeout: Duration, logs: &dyn LogSink, tail: &mut Tail) -> End {
    let Child { control, stdout, stderr } = child;
    let printed = async {
        let out = stdout.drain(|bytes| {
            logs.write(Stream::Stdout, bytes);
            tail.push(bytes);
        });
        let err = stderr.drain(|bytes| logs.write(Stream::Stderr, bytes));
        tokio::join!(out, err);
    };
    let ended = async {
        match tokio::time::timeout(timeout, control.ended()).await {
            Ok(exit) => End { exit, timed_out: false },
            Err(_) => End { exit: control.end().await, timed_out: true },
        }
    };
    tokio::pin!(printed, ended);
    let mut open = true;
    let end = loop {
        tokio::select! {
            end = &mut ended => break end,
            () = &mut printed, if open => open = false,
        }
    };
    if open {
        let _ = tokio::time::timeout(LEFTOVER_OUTPUT, printed).await;
    }
    end
}

async fn collect(shared: &Shared, result_file: PathBuf, tail: Tail) -> Result<Content, Failure> {
    let limit = shared.config.bounds.result;
    let collected = tokio::task::spawn_blocking(move || {
        Ok(result::read_file(&result_file, limit)?
            .unwrap_or_else(|| Content::guessed(tail.into_bytes().into())))
    });
    collected.await.unwrap_or_else(|error| Err(Failure::new(Reason::Internal, error.to_string())))
}
