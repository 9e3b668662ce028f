//! How a process ended.

use crate::signals::Signal;
use std::process::ExitCode;

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// Asked to end, and did.
    Clean,
    /// A task whose life is the process's life died.
    Failed { task: &'static str, error: String },
    /// A second signal cut the shutdown short.
    Forced(Signal),
}

impl Exit {
    /// 0, 1, or 128 + the signal.
    pub fn code(&self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Failed { .. } => 1,
            Self::Forced(signal) => 128 + signal.number(),
        }
    }

    /// The exit code of the process. After a second signal the process ends inside this call: returning from
    /// `main` would wait for the blocking threads of the runtime, which is what the person did not want.
    pub fn finish(self) -> ExitCode {
        if matches!(self, Self::Forced(_)) {
            std::process::exit(self.code().into());
        }
        ExitCode::from(self.code())
    }
}
