//! Finding the program that a command names.

use rustix::fs::{Access, access};
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Missing {
    /// No such file, or nothing of that name on PATH.
    NotFound(String),
    /// It is there and may not be run.
    NotExecutable(String),
}

impl Missing {
    pub(crate) fn message(&self) -> &str {
        let (Self::NotFound(message) | Self::NotExecutable(message)) = self;
        message
    }
}

/// The file to run for `program`, by the rules of `execvp`: with a slash it is a path, else PATH is searched.
pub(crate) fn resolve(program: &str, path: &str) -> Result<PathBuf, Missing> {
    if program.contains('/') {
        let file = PathBuf::from(program);
        if !file.exists() {
            return Err(Missing::NotFound(format!("{program}: no such file; check the path")));
        }
        return if runnable(&file) { Ok(file) } else { Err(not_executable(&file)) };
    }
    let mut refused = None;
    for folder in path.split(':').filter(|folder| folder.starts_with('/')) {
        let file = Path::new(folder).join(program);
        if runnable(&file) {
            return Ok(file);
        }
        if refused.is_none() && file.is_file() {
            refused = Some(not_executable(&file));
        }
    }
    Err(refused.unwrap_or_else(|| {
        Missing::NotFound(format!(
            "{program}: command not found on PATH ({path}); install it or give its full path"
        ))
    }))
}

fn runnable(file: &Path) -> bool {
    file.is_file() && access(file, Access::EXEC_OK).is_ok()
}

fn not_executable(file: &Path) -> Missing {
    let file = file.display();
    Missing::NotExecutable(format!("{file}: permission denied; make it executable with chmod +x {file}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_for_on_path_and_a_path_is_taken_as_it_is() {
        assert_eq!(resolve("sh", "/nowhere:/bin"), Ok(PathBuf::from("/bin/sh")));
        assert_eq!(resolve("/bin/sh", ""), Ok(PathBuf::from("/bin/sh")));
        assert!(matches!(resolve("sh", "/nowhere"), Err(Missing::NotFound(_))));
        assert!(matches!(resolve("sh", "relative:."), Err(Missing::NotFound(_))));
        assert!(matches!(resolve("/no/such", "/bin"), Err(Missing::NotFound(_))));
        assert!(matches!(resolve("/etc/passwd", "/bin"), Err(Missing::NotExecutable(_))));
    }
}
