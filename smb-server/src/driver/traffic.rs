//! The data of READs and WRITEs, by the way it travelled: what proves that it was placed.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of data that READs and WRITEs have moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Traffic {
    /// Read, in messages.
    pub read_inline: u64,
    /// Written, in messages.
    pub written_inline: u64,
    /// Read, by RDMA writes into the client's memory.
    pub pushed: u64,
    /// Written, by RDMA reads of the client's memory.
    pub pulled: u64,
}

/// The way that data took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    /// Read, in a message.
    ReadInline,
    /// Written, in a message.
    WrittenInline,
    /// Read, into the client's memory.
    Pushed,
    /// Written, from the client's memory.
    Pulled,
}

/// Adds up.
#[derive(Debug, Default)]
pub(crate) struct Counters([AtomicU64; 4]);

impl Counters {
    fn of(&self, moved: Moved) -> &AtomicU64 {
        let [read_inline, written_inline, pushed, pulled] = &self.0;
        match moved {
            Moved::ReadInline => read_inline,
            Moved::WrittenInline => written_inline,
            Moved::Pushed => pushed,
            Moved::Pulled => pulled,
        }
    }

    pub(crate) fn add(&self, moved: Moved, bytes: usize) {
        self.of(moved).fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Traffic {
        let value = |moved| self.of(moved).load(Ordering::Relaxed);
        Traffic {
            read_inline: value(Moved::ReadInline),
            written_inline: value(Moved::WrittenInline),
            pushed: value(Moved::Pushed),
            pulled: value(Moved::Pulled),
        }
    }
}
