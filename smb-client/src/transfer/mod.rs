//! Bulk transfers: pipelined, bounded, verified, and never short in silence.
//!
//! ```text
//!   Source ──▶ pump ──▶ Writes (window of pieces) ──▶ flush, size, read-back ──▶ Summary      upload
//!   File ──▶ Reads (window of pieces) ──▶ Sink in order, or RandomSink in any ──▶ Summary     download
//! ```
//!
//! Dropping the future of a transfer cancels it: nothing more is written, here or there, once its last request has been
//! answered. What was written until then stays, incomplete: to remove it is the caller's decision.

pub(crate) mod checkpoint;
pub(crate) mod digest;
mod download;
mod lent;
pub(crate) mod limit;
mod local;
pub(crate) mod pipeline;
mod progress;
mod sink;
mod source;
mod tree;
mod upload;

pub use crate::api::copy_file;
pub use download::{download, download_at};
pub use local::{download_to, part_of, upload_file};
pub(crate) use pipeline::{Reads, Writes};
pub use progress::{Progress, Transferred};
pub use sink::{BlockingSink, FileSink, NullSink, RandomSink, Sink, WriterSink};
pub use source::{FileSource, MemorySource, ReaderSource, Source};
pub use tree::{TreeSummary, copy_tree, download_tree, upload_tree};
pub use upload::upload;
pub(crate) use upload::{check_size as upload_check_size, pump};

use limit::Throttle;
use std::{sync::Arc, time::Duration};

/// How sure the end of a transfer is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// Every answer's count, and the size at the end; what crossed is as sure as the channel's protection.
    #[default]
    Size,
    /// All bytes are read again, and their digest compared.
    Readback,
}

/// How sure the end of a transfer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Level {
    /// Every answer's count, the size at the end, and the channel's integrity.
    SizeIntegrity,
    /// The server has computed the same digest before it committed.
    Digest,
    /// All bytes were read again and had the same digest.
    Readback,
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::SizeIntegrity => "size+integrity",
            Self::Digest => "digest",
            Self::Readback => "readback",
        })
    }
}

/// A transfer that is complete, durable, and as sure as `level` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Bytes of the whole.
    pub bytes: u64,
    /// How many of them were there already, from an earlier attempt.
    pub resumed_at: u64,
    /// How sure.
    pub level: Level,
    /// How long it took, verification included.
    pub elapsed: Duration,
    /// BLAKE3 of what crossed, where it was computed: in streams, and where [`Verify::Readback`] was asked for. What a
    /// download leaves in its sink is then for the caller to read and compare.
    pub digest: Option<[u8; 32]>,
}

impl Summary {
    /// For what is moved by other means than those here.
    pub fn of(bytes: u64, level: Level, elapsed: Duration) -> Self {
        Self { bytes, resumed_at: 0, level, elapsed, digest: None }
    }
}

/// How a transfer goes about it. Clones share limit and progress.
#[derive(Debug, Clone, Default)]
pub struct TransferOptions {
    pub(crate) verify: Verify,
    pub(crate) limit: Option<Arc<Throttle>>,
    pub(crate) progress: Progress,
    pub(crate) resume: bool,
    pub(crate) checkpoints: Option<u64>,
    /// The most bytes under way; the client's where there is none.
    pub(crate) window: Option<usize>,
}

impl TransferOptions {
    /// As fast as it goes, size and integrity checked.
    pub fn new() -> Self {
        Self::default()
    }

    /// How sure the end is to be.
    #[must_use]
    pub fn verify(mut self, verify: Verify) -> Self {
        self.verify = verify;
        self
    }

    /// At most so many bytes per second, of all transfers that have these options.
    #[must_use]
    pub fn limit(mut self, bytes_per_second: u64) -> Self {
        self.limit = Some(Arc::new(Throttle::new(bytes_per_second)));
        self
    }

    /// Reports to `progress`.
    #[must_use]
    pub fn progress(mut self, progress: &Progress) -> Self {
        self.progress = progress.clone();
        self
    }

    /// Keeps checkpoints, and goes on from one where there is one: [`download_to`] and [`upload_file`].
    #[must_use]
    pub fn resume(mut self, resume: bool) -> Self {
        self.resume = resume;
        self
    }

    /// Bytes between two checkpoints of [`resume`](Self::resume), each of which waits until what is in front of it is durable;
    /// 256 MiB by default.
    #[must_use]
    pub fn checkpoint_every(mut self, bytes: u64) -> Self {
        self.checkpoints = Some(bytes);
        self
    }

    pub(crate) fn every(&self) -> u64 {
        self.checkpoints.unwrap_or(checkpoint::EVERY)
    }

    /// The most bytes under way, and so the memory it takes; what
    /// [`ClientBuilder::window`](crate::ClientBuilder::window) says without it.
    #[must_use]
    pub fn window(mut self, bytes: usize) -> Self {
        self.window = Some(bytes);
        self
    }

    /// For one of several transfers that make up this one, `at_once` at a time.
    pub(crate) fn part(&self, window: usize, at_once: usize) -> Self {
        let window = self.window.unwrap_or(window).checked_div(at_once).unwrap_or(1);
        Self { progress: self.progress.part(), window: Some(window), ..self.clone() }
    }
}
