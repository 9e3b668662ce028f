//! What `/proc` tells about processes. A process that has gone reads as absent, never as an error.

use crate::wire::ProcessId;
use std::fs;

/// The fields of `/proc/<pid>/stat` from the third on; the second, the name, may hold anything.
fn stat(pid: i32) -> Option<Vec<u64>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    // The state is a letter, some fields may be negative; those asked for are neither.
    Some(fields.split_ascii_whitespace().map(|field| field.parse().unwrap_or(0)).collect())
}

/// Clock ticks between boot and the start of the process.
pub(crate) fn start_time(pid: i32) -> Option<u64> {
    stat(pid)?.get(19).copied()
}

pub(crate) fn identify(pid: i32) -> Option<ProcessId> {
    Some(ProcessId { pid, start_time: start_time(pid)? })
}

/// Whether the very process is still there; a zombie counts as gone.
pub(crate) fn is_alive(process: ProcessId) -> bool {
    let zombie = fs::read_to_string(format!("/proc/{}/stat", process.pid))
        .ok()
        .and_then(|text| text.rsplit_once(") ").map(|(_, rest)| rest.starts_with('Z')))
        .unwrap_or(true);
    !zombie && start_time(process.pid) == Some(process.start_time)
}

/// All processes below `root`, whatever group or session they are in.
pub(crate) fn descendants(root: i32) -> Vec<i32> {
    let (mut found, mut next) = (Vec::new(), 0);
    let mut parent = root;
    loop {
        match children(parent) {
            Some(children) => found.extend(children),
            None if parent == root => return scan(root),
            None => {}
        }
        match found.get(next) {
            Some(&pid) => parent = pid,
            None => return found,
        }
        next += 1;
    }
}

/// By the kernel's own list; `None` where the process has gone or the kernel keeps no such list.
fn children(pid: i32) -> Option<Vec<i32>> {
    let mut all = Vec::new();
    let mut known = false;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        if let Ok(text) = fs::read_to_string(task.path().join("children")) {
            known = true;
            all.extend(text.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
        }
    }
    known.then_some(all)
}

/// By looking at every process of the machine, where the kernel keeps no list of children.
fn scan(root: i32) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let parents: Vec<(i32, i32)> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, *stat(pid)?.get(1)? as i32)))
        .collect();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found.remove(0);
    found
}

/// Bytes of memory that only these processes keep in use: what is shared with files on disk does not count.
///
/// The cheap sum counts pages twice that forked processes share; where it is over `limit`, the exact one decides.
pub(crate) fn memory(pids: &[i32], limit: u64) -> u64 {
    let cheap = sum(pids, "status", &["RssAnon:", "RssShmem:"]).unwrap_or(0);
    if cheap <= limit {
        return cheap;
    }
    sum(pids, "smaps_rollup", &["Pss_Anon:", "Pss_Shmem:"]).unwrap_or(cheap)
}

fn sum(pids: &[i32], file: &str, fields: &[&str]) -> Option<u64> {
    let mut total = None;
    for pid in pids {
        let Ok(text) = fs::read_to_string(format!("/proc/{pid}/{file}")) else { continue };
        for line in text.lines() {
            let Some(value) = fields.iter().find_map(|field| line.strip_prefix(field)) else { continue };
            let kib: u64 = value.trim().trim_end_matches(" kB").parse().unwrap_or(0);
            total = Some(total.unwrap_or(0) + (kib << 10));
        }
    }
    total
}

/// Whether one of the processes below `root` listens on the TCP port: another program may have been faster to it.
pub(crate) fn listens(root: i32, port: u16) -> bool {
    let sockets = listeners(port);
    descendants(root).iter().any(|pid| {
        let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
        open.flatten().any(|fd| {
            fs::read_link(fd.path()).ok().and_then(|to| Some(sockets.contains(&to.to_str()?.to_owned())))
                == Some(true)
        })
    })
}

/// The sockets that listen on a port, as they are named in `/proc/<pid>/fd`.
fn listeners(port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let end = format!(":{port:04X}");
    let mut sockets = Vec::new();
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        for line in fs::read_to_string(table).unwrap_or_default().lines() {
            let mut fields = line.split_ascii_whitespace().skip(1);
            let (local, state) = (fields.next(), fields.nth(1));
            if local.is_some_and(|local| local.ends_with(&end)) && state == Some(LISTEN) {
                sockets.extend(fields.nth(5).map(|inode| format!("socket:[{inode}]")));
            }
        }
    }
    sockets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_a_later_one_of_the_same_pid() {
        let me = identify(std::process::id() as i32).expect("we run");
        assert!(is_alive(me));
        assert!(!is_alive(ProcessId { start_time: me.start_time + 1, ..me }));
    }

    #[test]
    fn both_ways_find_the_same_descendants() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "sleep 5 & echo; wait"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("sh starts");
        let root = child.id() as i32;
        std::io::Read::read_exact(child.stdout.as_mut().expect("is piped"), &mut [0])
            .expect("the sleep runs");
        let listed = descendants(root);
        assert_eq!(listed.len(), 1);
        assert_eq!(scan(root), listed);
        for pid in listed {
            rustix::process::kill_process(
                rustix::process::Pid::from_raw(pid).expect("a pid"),
                rustix::process::Signal::KILL,
            )
            .expect("is killed");
        }
        child.wait().expect("ends");
    }

    #[test]
    fn memory_counts_what_a_process_wrote() {
        let held = vec![1u8; 32 << 20];
        let me = [std::process::id() as i32];
        assert!(memory(&me, u64::MAX) >= 32 << 20);
        assert!(memory(&me, 0) >= 32 << 20, "the exact way sees it too");
        drop(held);
    }

    #[test]
    fn a_port_is_listened_on_by_the_process_that_does_and_by_no_other() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        assert_eq!(listeners(port).len(), 1);
        let parent = rustix::process::getppid().expect("a parent").as_raw_pid();
        assert!(listens(parent, port), "we are a child of our parent");
        assert!(!listens(std::process::id() as i32, port), "none of our children listens");
        drop(listener);
        assert!(!listens(parent, port));
    }
}
