use eventflow_domain::limits::Limits;
use std::path::PathBuf;
use std::time::Duration;

/// The bounds of the wasm runtime.
#[derive(Debug, Clone)]
pub struct WasmConfig {
    /// Where compiled code is kept, over restarts. Made with mode 0700; nothing else may lie in it.
    pub cache_dir: PathBuf,
    /// Bytes that `cache_dir` may hold; the oldest entries go first.
    pub cache_bytes: u64,
    /// Calls that run at once; more wait, up to their start deadline.
    pub max_instances: u32,
    /// Bytes of an instance's memory that stay resident for the next call, per slot that was used.
    pub keep_resident: usize,
    /// Slots that stay resident while unused.
    pub warm_slots: u32,
    /// Compilations at once, each on one thread of low priority.
    pub compile_workers: usize,
    /// Compilations that may wait for a worker.
    pub compile_queue: usize,
    /// How long one compilation may take.
    pub compile_timeout: Duration,
    /// How long [`eventflow_domain::ports::Runtime::check`] waits for a compilation; what takes longer is accepted
    /// and reported by `prepare`.
    pub check_wait: Duration,
    /// Bytes of a module or component.
    pub max_code: u64,
    /// How long a guest may hold a thread before others get their turn.
    pub tick: Duration,
    /// Requests that one call may have open to hosts of its `egress`.
    pub max_outgoing: usize,
    /// Limits of the installation: `payload` bounds a result, `stdout_result` what is kept of stdout.
    pub limits: Limits,
}

impl WasmConfig {
    /// The defaults, for a machine that also runs the rest of EventFlow.
    pub fn new(cache_dir: impl Into<PathBuf>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            cache_dir: cache_dir.into(),
            cache_bytes: 2 << 30,
            max_instances: 256,
            keep_resident: 1 << 20,
            warm_slots: 32,
            compile_workers: (cores / 2).max(1),
            compile_queue: 1024,
            compile_timeout: Duration::from_mins(5),
            check_wait: Duration::from_secs(10),
            max_code: 64 << 20,
            tick: Duration::from_millis(2),
            max_outgoing: 32,
            limits: Limits::default(),
        }
    }
}
