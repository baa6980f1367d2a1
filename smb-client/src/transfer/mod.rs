//! Bulk transfers: pipelined, bounded, verified, and never short in silence.
//!
//! ```text
//!   Source ──▶ pump ──▶ Writes (window of pieces) ──▶ flush, size, read-back ──▶ Summary      upload
//!   File ──▶ Reads (window of pieces) ──▶ Sink in order, or RandomSink in any ──▶ Summary     download
//! ```
//!
//! Dropping the future of a transfer cancels it: nothing more is written, here or there, once its last request has been
//! answered. What was written until then stays, incomplete: to remove it is the caller's decision.

pub(crate) mod digest;
mod download;
pub(crate) mod limit;
pub(crate) mod pipeline;
mod progress;
mod sink;
mod source;
mod upload;

pub use download::{download, download_at};
pub(crate) use pipeline::{Reads, Writes};
pub use progress::{Progress, Transferred};
pub use sink::{FileSink, NullSink, RandomSink, Sink, WriterSink};
pub use source::{FileSource, MemorySource, ReaderSource, Source};
pub use upload::upload;
pub(crate) use upload::{check_size as upload_check_size, pump};

use std::time::Duration;

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
    /// Bytes.
    pub bytes: u64,
    /// How sure.
    pub level: Level,
    /// How long it took, verification included.
    pub elapsed: Duration,
    /// BLAKE3 of what crossed, where it was computed: in streams, and where [`Verify::Readback`] was asked for. What a
    /// download leaves in its sink is then for the caller to read and compare.
    pub digest: Option<[u8; 32]>,
}

/// How a transfer goes about it.
#[derive(Debug, Clone, Default)]
pub struct TransferOptions {
    pub(crate) verify: Verify,
    pub(crate) limit: Option<u64>,
    pub(crate) progress: Progress,
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

    /// At most so many bytes per second.
    #[must_use]
    pub fn limit(mut self, bytes_per_second: u64) -> Self {
        self.limit = Some(bytes_per_second);
        self
    }

    /// Reports to `progress`.
    #[must_use]
    pub fn progress(mut self, progress: &Progress) -> Self {
        self.progress = progress.clone();
        self
    }
}
