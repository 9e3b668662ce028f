//! Unsafe code is denied; the places that lift the denial are listed here, with what they may do.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::{Problem, relative};
use crate::workspace;

/// The name of the lint, written so that this file does not find itself.
const LINT: &str = concat!("unsafe", "_code");
/// The one file that loads compiled modules which this program wrote and sealed itself.
const ACCEPTED: [&str; 1] = ["crates/runtime-wasm/src/cache/load.rs"];

pub(super) fn check(root: &Path) -> Result<Vec<Problem>> {
    let gone = ACCEPTED.into_iter().filter(|place| !root.join(place).exists());
    let mut problems: Vec<_> =
        gone.map(|place| Problem::new(place, "is on the list of xtask, and does not exist")).collect();
    for path in workspace::files(root, &["rs"])? {
        let place = relative(root, &path);
        let text = fs::read_to_string(&path).with_context(|| format!("failed to read {place}"))?;
        problems.extend(judge(&place, lifts_denial(&text)));
    }
    Ok(problems)
}

fn judge(place: &str, lifts: bool) -> Option<Problem> {
    match (ACCEPTED.contains(&place), lifts) {
        (false, true) => Some(Problem::new(place, "accepts unsafe code, and is not on the list of xtask")),
        (true, false) => {
            Some(Problem::new(place, "is on the list of xtask, and has no unsafe code any more"))
        }
        _ => None,
    }
}

/// Whether the code, comments apart, names the lint: in `#[expect(…)]` or `#[allow(…)]`, on one line or on many.
fn lifts_denial(text: &str) -> bool {
    text.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(LINT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifting_the_denial_is_seen_on_one_line_and_on_many() {
        assert!(lifts_denial(&format!("#[expect({LINT}, reason = \"x\")]\nfn f() {{}}")));
        assert!(lifts_denial(&format!("#![allow(\n    {LINT},\n)]")));
        assert!(!lifts_denial(&format!("// {LINT} is denied here\nfn f() {{}}")));
    }

    #[test]
    fn only_listed_places_may_lift_it_and_the_list_has_no_dead_entries() {
        assert!(judge("crates/bus/src/lib.rs", true).is_some());
        assert!(judge("crates/bus/src/lib.rs", false).is_none());
        assert!(judge(ACCEPTED[0], true).is_none());
        assert!(judge(ACCEPTED[0], false).is_some());
    }
}
