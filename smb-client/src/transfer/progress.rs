//! How far a transfer is.

use std::sync::Arc;
use tokio::sync::watch;

/// How far a transfer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Transferred {
    /// Bytes that have arrived.
    pub bytes: u64,
    /// Bytes there are, where that is known.
    pub total: Option<u64>,
}

/// Where a transfer reports to; clones are the same. Reporting never waits for whoever watches.
#[derive(Debug, Clone)]
pub struct Progress(Arc<watch::Sender<Transferred>>);

impl Default for Progress {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Transferred::default())))
    }
}

impl Progress {
    /// Nothing transferred yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How far it is now.
    pub fn now(&self) -> Transferred {
        *self.0.borrow()
    }

    /// To wait for changes.
    pub fn watch(&self) -> watch::Receiver<Transferred> {
        self.0.subscribe()
    }

    pub(crate) fn begin(&self, total: Option<u64>) {
        self.0.send_replace(Transferred { bytes: 0, total });
    }

    pub(crate) fn reached(&self, bytes: u64) {
        self.0.send_modify(|now| now.bytes = bytes);
    }
}
