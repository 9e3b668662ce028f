use crate::support::{Room, room, sh};
use eventflow_domain::ports::Runtime;
use eventflow_testkit::contract::runtime::{FLOOD_LINES, Program, Suite};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

fn script(program: Program) -> String {
    match program {
        Program::Echo => "exec cat".to_owned(),
        Program::PrintBoth => "echo to stdout; echo to stderr >&2".to_owned(),
        Program::ExitSeven => "echo giving up >&2; exit 7".to_owned(),
        Program::Forever => "exec sleep 1000".to_owned(),
        Program::Ticker => "while echo tick; do sleep 0.02; done".to_owned(),
        Program::PrintEnv => "exec env".to_owned(),
        Program::Canary => "if ls -A . $TMPDIR $HOME | grep -q canary; then echo used; else echo fresh; fi; \
             touch canary $TMPDIR/canary $HOME/.canary"
            .to_owned(),
        Program::Flood => format!("yes {} | head -n {FLOOD_LINES}; echo end", "x".repeat(63)),
    }
}

fn suite() -> Suite {
    static ROOM: OnceLock<Room> = OnceLock::new();
    let runtime = Arc::clone(&ROOM.get_or_init(room).runtime);
    Suite::new(runtime as Arc<dyn Runtime>, |program| sh(&script(program)))
        .overrun(Duration::from_millis(300))
}

eventflow_testkit::runtime_suite!(suite());
