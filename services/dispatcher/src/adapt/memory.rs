//! How much memory is left, to this process's group where it has a limit, else to the machine.

use std::fs;

const MAX: &str = "/sys/fs/cgroup/memory.max";
const CURRENT: &str = "/sys/fs/cgroup/memory.current";
const STAT: &str = "/sys/fs/cgroup/memory.stat";
const MACHINE: &str = "/proc/meminfo";

/// 0 to 1; 1 where nobody says.
pub(super) fn left() -> f64 {
    of_group().or_else(of_machine).unwrap_or(1.0)
}

fn of_group() -> Option<f64> {
    let max: f64 = fs::read_to_string(MAX).ok()?.trim().parse().ok()?;
    let current: f64 = fs::read_to_string(CURRENT).ok()?.trim().parse().ok()?;
    // The kernel gives back pages of files before it ends anyone.
    let files = number(&fs::read_to_string(STAT).ok()?, "inactive_file ").unwrap_or(0.0);
    Some(part(max - (current - files), max))
}

fn of_machine() -> Option<f64> {
    let text = fs::read_to_string(MACHINE).ok()?;
    Some(part(number(&text, "MemAvailable:")?, number(&text, "MemTotal:")?))
}

fn part(left: f64, of: f64) -> f64 {
    (left / of.max(1.0)).clamp(0.0, 1.0)
}

fn number(text: &str, name: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_their_names() {
        let text = "MemTotal:       24000 kB\nMemAvailable:    6000 kB\n";
        assert_eq!(number(text, "MemAvailable:"), Some(6000.0));
        assert_eq!(number(text, "SwapFree:"), None);
        assert_eq!((part(6000.0, 24000.0), part(-1.0, 10.0), part(20.0, 10.0)), (0.25, 0.0, 1.0));
    }

    #[test]
    fn this_machine_says_how_much_is_left() {
        assert!((0.0..=1.0).contains(&left()));
    }
}
