//! Times in which this machine itself stood still: too busy, or waiting for its disk. What is lost then has a cause that is
//! not ours, and it is named.

use super::run::wall;
use crate::checker::Harm;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(250);
/// A turn that takes so much longer is a stall; renewals of leases have three tries in five seconds.
const STALL: Duration = Duration::from_millis(1_000);

/// Looks until it is dropped.
#[derive(Debug)]
pub(super) struct Stalls {
    seen: Arc<Mutex<Vec<Harm>>>,
    over: Arc<AtomicBool>,
}

impl Stalls {
    /// `folder` is on the disk that the images are files of.
    pub(super) fn watch(folder: &Path) -> Self {
        let (seen, over) = (Arc::<Mutex<Vec<Harm>>>::default(), Arc::new(AtomicBool::new(false)));
        let (found, ends) = (Arc::clone(&seen), Arc::clone(&over));
        let mut file = File::create(folder.join("stalls")).unwrap();
        std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                let (from, begun) = (wall(), Instant::now());
                std::thread::sleep(EVERY);
                // As a commit does.
                let written =
                    file.rewind().and_then(|()| file.write_all(b"1")).and_then(|()| file.sync_data());
                if written.is_err() || begun.elapsed() > EVERY + STALL {
                    found.lock().unwrap().push(Harm { from, to: wall() });
                }
            }
        });
        Self { seen, over }
    }

    pub(super) fn seen(&self) -> Vec<Harm> {
        self.seen.lock().unwrap().clone()
    }

    /// How much of the time since then.
    pub(super) fn since(&self, moment: Duration) -> Duration {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|stall| stall.to > moment)
            .map(|stall| stall.to.checked_sub(stall.from.max(moment)).unwrap())
            .sum()
    }
}

impl Drop for Stalls {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
