//! The programs of the contract as wasip1 commands.

use eventflow_testkit::contract::runtime::{FLOOD_LINES, Program};

/// `$print(fd, ptr, len)` writes all of it; `$exit(code)` ends the program.
const PRELUDE: &str = r#"
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 4)
  (func $print (param $fd i32) (param $ptr i32) (param $len i32)
    (loop $more
      (i32.store (i32.const 0) (local.get $ptr))
      (i32.store (i32.const 4) (local.get $len))
      (if (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))
      (local.set $ptr (i32.add (local.get $ptr) (i32.load (i32.const 8))))
      (local.set $len (i32.sub (local.get $len) (i32.load (i32.const 8))))
      (br_if $more (local.get $len))))
"#;

/// A module with the prelude.
pub(crate) fn command(body: &str) -> String {
    format!("(module {PRELUDE} {body})")
}

pub(crate) fn of(program: Program) -> String {
    match program {
        Program::Echo => command(
            r#"(func (export "_start")
                (loop $more
                  (i32.store (i32.const 16) (i32.const 1024))
                  (i32.store (i32.const 20) (i32.const 65536))
                  (if (call $fd_read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 24)) (then unreachable))
                  (if (i32.load (i32.const 24)) (then
                    (call $print (i32.const 1) (i32.const 1024) (i32.load (i32.const 24)))
                    (br $more)))))"#,
        ),
        Program::PrintBoth => command(
            r#"(data (i32.const 64) "to stdout\nto stderr\n")
               (func (export "_start")
                 (call $print (i32.const 1) (i32.const 64) (i32.const 10))
                 (call $print (i32.const 2) (i32.const 74) (i32.const 10)))"#,
        ),
        Program::ExitSeven => command(
            r#"(data (i32.const 64) "giving up\n")
               (func (export "_start")
                 (call $print (i32.const 2) (i32.const 64) (i32.const 10))
                 (call $exit (i32.const 7)))"#,
        ),
        Program::Forever => command(r#"(func (export "_start") (loop $forever (br $forever)))"#),
        Program::Ticker => command(
            r#"(data (i32.const 64) "tick\n")
               (func (export "_start")
                 ;; a subscription to the monotonic clock, 10 ms from now
                 (i32.store (i32.const 144) (i32.const 1))
                 (i64.store (i32.const 152) (i64.const 10000000))
                 (loop $forever
                   (call $print (i32.const 1) (i32.const 64) (i32.const 5))
                   (drop (call $poll_oneoff (i32.const 128) (i32.const 256) (i32.const 1) (i32.const 24)))
                   (br $forever)))"#,
        ),
        Program::PrintEnv => command(
            r#"(func (export "_start") (local $at i32) (local $end i32)
                 (drop (call $environ_sizes_get (i32.const 16) (i32.const 20)))
                 (drop (call $environ_get (i32.const 1024) (i32.const 8192)))
                 (local.set $at (i32.const 8192))
                 (local.set $end (i32.add (local.get $at) (i32.load (i32.const 20))))
                 ;; each variable ends with a zero byte: lines instead
                 (loop $next
                   (if (i32.eqz (i32.load8_u (local.get $at))) (then (i32.store8 (local.get $at) (i32.const 10))))
                   (local.set $at (i32.add (local.get $at) (i32.const 1)))
                   (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
                 (call $print (i32.const 1) (i32.const 8192) (i32.load (i32.const 20))))"#,
        ),
        Program::Canary => command(
            r#"(data (i32.const 64) "fresh\nused\n")
               (global $seen (mut i32) (i32.const 0))
               (table 4 funcref)
               (elem declare func $exit)
               (func (export "_start")
                 (if (i32.or (i32.or (global.get $seen) (i32.load (i32.const 200000)))
                             (i32.eqz (ref.is_null (table.get 0 (i32.const 3)))))
                   (then (call $print (i32.const 1) (i32.const 70) (i32.const 5)))
                   (else (call $print (i32.const 1) (i32.const 64) (i32.const 6))))
                 (global.set $seen (i32.const 1))
                 (table.set 0 (i32.const 3) (ref.func $exit))
                 ;; all of what it did not use itself
                 (memory.fill (i32.const 1024) (i32.const 0x5a) (i32.const 261120)))"#,
        ),
        Program::Flood => command(&format!(
            r#"(data (i32.const 64) "{line}\nend\n")
               (func (export "_start") (local $left i32)
                 (local.set $left (i32.const {FLOOD_LINES}))
                 (loop $next
                   (call $print (i32.const 1) (i32.const 64) (i32.const 64))
                   (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                   (br_if $next (local.get $left)))
                 (call $print (i32.const 1) (i32.const 128) (i32.const 4)))"#,
            line = "x".repeat(63),
        )),
    }
}
