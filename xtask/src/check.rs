//! What no compiler checks: who may know whom, that manifests say nothing the workspace says, that files stay small,
//! and where unsafe code is accepted.

mod layers;
mod manifests;
mod sizes;
mod unsafety;

use std::fmt;
use std::path::Path;

use anyhow::{Result, bail};

use crate::{tell, workspace};

/// Something to put right, with the place where it is.
#[derive(Debug, PartialEq, Eq)]
struct Problem {
    place: String,
    what: String,
}

impl Problem {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Runs every check and prints all problems, not only the first.
pub(crate) fn run() -> Result<()> {
    let root = workspace::root()?;
    let mut problems = Vec::new();
    problems.extend(layers::check(&root)?);
    problems.extend(manifests::check(&root)?);
    problems.extend(sizes::check(&root)?);
    problems.extend(unsafety::check(&root)?);
    for problem in &problems {
        tell(&problem.to_string());
    }
    match problems.len() {
        0 => tell("check: layering, manifests, sizes and unsafe code are as they should be"),
        1 => bail!("1 problem"),
        count => bail!("{count} problems"),
    }
    Ok(())
}

/// The path as it is written in this repository.
fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}
