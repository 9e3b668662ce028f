use crate::engine::{CORE_INSTANCES, MEMORIES, TABLE_ELEMENTS, TABLES};
use wasmtime::{ResourceLimiter, Result};

/// What one call may take: all its memories together up to `resources.memory`, and a fixed number of the rest.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory: usize,
    used: usize,
    last: usize,
    refused: bool,
}

impl Limiter {
    pub(crate) fn new(memory: u64) -> Self {
        Self { memory: usize::try_from(memory).unwrap_or(usize::MAX), used: 0, last: 0, refused: false }
    }

    /// Whether the guest asked for more memory than it may have.
    pub(crate) fn refused_memory(&self) -> bool {
        self.refused
    }

    pub(crate) fn memory(&self) -> u64 {
        self.memory as u64
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let more = desired.saturating_sub(current);
        let total = self.used.saturating_add(more);
        if total > self.memory {
            (self.refused, self.last) = (true, 0);
            return Ok(false);
        }
        (self.used, self.last) = (total, more);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> Result<()> {
        self.used = self.used.saturating_sub(std::mem::take(&mut self.last));
        Ok(())
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        Ok(desired <= TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES as usize
    }

    fn tables(&self) -> usize {
        TABLES as usize
    }

    fn memories(&self) -> usize {
        MEMORIES as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_share_one_limit() {
        let mut limiter = Limiter::new(3 << 16);
        assert!(limiter.memory_growing(0, 2 << 16, None).expect("an answer"));
        assert!(!limiter.memory_growing(0, 2 << 16, None).expect("an answer"));
        assert!(limiter.refused_memory());
        assert!(limiter.memory_growing(0, 1 << 16, None).expect("an answer"));
    }

    #[test]
    fn a_growth_that_failed_is_given_back() {
        let mut limiter = Limiter::new(2 << 16);
        assert!(limiter.memory_growing(0, 2 << 16, None).expect("an answer"));
        limiter.memory_grow_failed(wasmtime::format_err!("no memory")).expect("no trap");
        assert!(limiter.memory_growing(0, 2 << 16, None).expect("an answer"));
    }
}
