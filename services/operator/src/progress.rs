//! Whether every watch is alive. A watch can be dead without an error: it waits for a server that is gone, or for
//! another watch that waits. What counts is that something arrived: an event, or a bookmark, which come every minute.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A watch that nothing arrived on for so long is taken for dead.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// The watches there should be, by the path of their resource.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Mutex<HashMap<String, Beat>>>);

/// One watch; tells when something arrived on it.
#[derive(Debug, Clone)]
pub(crate) struct Beat(Arc<Mutex<Instant>>);

impl Beat {
    pub(crate) fn now(&self) {
        *self.0.lock() = Instant::now();
    }
}

/// A watch is expected as long as this lives.
#[derive(Debug)]
pub struct Expected {
    progress: Progress,
    path: String,
    beat: Beat,
}

impl Expected {
    /// When nothing has arrived for so long; counts from now where it has just come to that.
    pub async fn silent(&self, patience: Duration) {
        loop {
            let until = *self.beat.0.lock() + patience;
            if Instant::now() >= until {
                break;
            }
            tokio::time::sleep_until(until).await;
        }
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.progress.0.lock().remove(&self.path);
    }
}

impl Progress {
    /// Expects a watch on this path from now on.
    pub fn expect(&self, path: String) -> Expected {
        let beat = Beat(Arc::new(Mutex::new(Instant::now())));
        self.0.lock().insert(path.clone(), beat.clone());
        Expected { progress: self.clone(), path, beat }
    }

    pub(crate) fn beat(&self, path: &str) -> Option<Beat> {
        self.0.lock().get(path).cloned()
    }

    /// The watches that are dead, with their silence.
    pub fn dead(&self) -> Vec<(String, Duration)> {
        let all = self.0.lock();
        let mut dead: Vec<_> = all
            .iter()
            .map(|(path, beat)| (path.clone(), beat.0.lock().elapsed()))
            .filter(|(_, silence)| *silence >= PATIENCE)
            .collect();
        dead.sort();
        dead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_watch_is_dead_after_five_minutes_and_one_that_is_not_wanted_never() {
        let progress = Progress::default();
        let (_a, b) = (progress.expect("/a".to_owned()), progress.expect("/b".to_owned()));
        let beat = progress.beat("/b").expect("a watch");
        tokio::time::advance(Duration::from_secs(299)).await;
        beat.now();
        assert!(progress.dead().is_empty());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(progress.dead(), [("/a".to_owned(), PATIENCE)]);
        tokio::time::advance(PATIENCE).await;
        assert_eq!(progress.dead().len(), 2);
        drop(b);
        assert_eq!(progress.dead().len(), 1);
    }
}
