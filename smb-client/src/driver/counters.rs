//! What went over a channel, and how.

use std::sync::atomic::{AtomicU64, Ordering};

/// Payload bytes of READs and WRITEs, by the way they travelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Traffic {
    /// In messages.
    pub inline: u64,
    /// Read, by the server's RDMA writes into our memory.
    pub pushed: u64,
    /// Written, by the server's RDMA reads of our memory.
    pub pulled: u64,
    /// Copied once more, since they had to lie beside their header to be signed or sealed.
    pub copied: u64,
}

impl Traffic {
    /// Placed directly, in both directions.
    #[must_use]
    pub fn placed(&self) -> u64 {
        self.pushed.saturating_add(self.pulled)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    inline: AtomicU64,
    pushed: AtomicU64,
    pulled: AtomicU64,
    copied: AtomicU64,
}

impl Counters {
    pub fn inline(&self, bytes: usize) {
        add(&self.inline, bytes);
    }

    pub fn pushed(&self, bytes: usize) {
        add(&self.pushed, bytes);
    }

    pub fn pulled(&self, bytes: usize) {
        add(&self.pulled, bytes);
    }

    pub fn copied(&self, bytes: usize) {
        add(&self.copied, bytes);
    }

    pub fn read(&self) -> Traffic {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic {
            inline: value(&self.inline),
            pushed: value(&self.pushed),
            pulled: value(&self.pulled),
            copied: value(&self.copied),
        }
    }
}

fn add(counter: &AtomicU64, bytes: usize) {
    counter.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
}
