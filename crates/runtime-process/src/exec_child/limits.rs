//! Limits that the kernel keeps. They are set on the launcher and inherited.

use crate::wire::Order;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;
use std::process::Child;

/// What one process may have of private writable memory beside what is watched: thread stacks and arenas are
/// reserved by the gigabyte and never touched.
const UNTOUCHED: u64 = 4 << 30;

/// The address space (RLIMIT_AS) stays free: JVMs and V8 reserve many times what they use, and would not start.
/// RLIMIT_DATA, which leaves such reservations out, is a backstop against one that grows faster than it is watched.
pub(super) fn apply(order: &Order) -> io::Result<()> {
    set(Resource::Core, 0)?;
    set(Resource::Nofile, order.open_files)?;
    set(Resource::Fsize, order.file_size)?;
    set(Resource::Data, order.memory.saturating_mul(2).saturating_add(UNTOUCHED))
}

/// Lowers a limit; one that is tighter already stays.
fn set(resource: Resource, wanted: u64) -> io::Result<()> {
    let maximum = getrlimit(resource).maximum.map_or(wanted, |maximum| maximum.min(wanted));
    Ok(setrlimit(resource, Rlimit { current: Some(maximum), maximum: Some(maximum) })?)
}

/// When the machine runs out of memory, a function goes before the server does.
pub(super) fn prefer_for_oom_killer(child: &Child) {
    let _ = std::fs::write(format!("/proc/{}/oom_score_adj", child.id()), "500");
}
