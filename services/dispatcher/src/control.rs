//! How a running call is told to end.

use std::sync::atomic::{AtomicU8, Ordering};
use tokio::sync::Notify;

/// Why a run is ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// A cancel is wished: settle as CANCELLED.
    Cancelled = 1,
    /// This worker is stopping: give it back.
    Released = 2,
    /// The lease is another's: nothing is to be written.
    Gone = 3,
}

/// One running call's ear. A graver word replaces a lighter one, never the other way.
#[derive(Debug, Default)]
pub(crate) struct Control {
    word: AtomicU8,
    told: Notify,
}

impl Control {
    pub(crate) fn cut(&self, why: Cut) {
        self.word.fetch_max(why as u8, Ordering::AcqRel);
        self.told.notify_waiters();
    }

    pub(crate) fn said(&self) -> Option<Cut> {
        match self.word.load(Ordering::Acquire) {
            1 => Some(Cut::Cancelled),
            2 => Some(Cut::Released),
            3 => Some(Cut::Gone),
            _ => None,
        }
    }

    /// Resolves when the run is to end.
    pub(crate) async fn ended(&self) -> Cut {
        loop {
            let told = self.told.notified();
            if let Some(why) = self.said() {
                return why;
            }
            told.await;
        }
    }

    /// Resolves when the lease is lost.
    pub(crate) async fn gone(&self) {
        loop {
            let told = self.told.notified();
            if self.said() == Some(Cut::Gone) {
                return;
            }
            told.await;
        }
    }
}
