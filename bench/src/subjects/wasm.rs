//! A wasm call through the runtime, in this process, against a bare pooled loop that builds the same context and pipes.

mod bare;
mod ours;

use crate::compare::{Pairs, Side};
use crate::eventflow::LEAN;
use crate::plan::Plan;
use crate::report::{Aim, Report};
use anyhow::Result;

/// Copies its stdin to its stdout.
const COMMAND: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 4)
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 1024))
    (i32.store (i32.const 4) (i32.const 4096))
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))
    (i32.store (i32.const 4) (i32.load (i32.const 16)))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))"#;

pub(super) async fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    let pid = std::process::id();
    for (subject, code) in [("wasm call, lean ABI", LEAN), ("wasm call, wasip1 with pipes", COMMAND)] {
        let mut ours = Side { callers: vec![ours::Ours::new(code).await?], pid };
        let pairs = if code == LEAN {
            let mut bare = Side { callers: vec![bare::BareLean::new(code)?], pid };
            Pairs::measure(plan, &mut ours, &mut bare).await?
        } else {
            let mut bare = Side { callers: vec![bare::BareCommand::new(code)?], pid };
            Pairs::measure(plan, &mut ours, &mut bare).await?
        };
        report.pairs(subject, "bare pooled wasmtime loop", &pairs);
        // Not rate by rate: one thread that is pushed aside for a while loses rate, and its median call nothing.
        report.ratio(subject, "p50 by p50", pairs.ratios(|f| f.p50), "x", Some(Aim::AtMost(1.5)));
        report.ratio(subject, "CPU by CPU of a call", pairs.ratios(|f| f.cpu), "x", None);
    }
    Ok(())
}
