//! What a connection has done, and why it ended.

use super::{DirectError, connection::Connection};
use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};

/// Bytes a connection has carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// In messages, sent.
    pub sent: u64,
    /// In messages, received.
    pub received: u64,
    /// Written into the peer's memory.
    pub pushed: u64,
    /// Read from the peer's memory.
    pub pulled: u64,
}

/// Watches a connection. It does not keep the connection up.
#[derive(Clone)]
pub struct Monitor(Arc<Connection>);

impl Monitor {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self(connection)
    }

    /// Bytes so far.
    pub fn counters(&self) -> Counters {
        let traffic = &self.0.traffic;
        Counters {
            sent: traffic.sent.load(Ordering::Relaxed),
            received: traffic.received.load(Ordering::Relaxed),
            pushed: traffic.pushed.load(Ordering::Relaxed),
            pulled: traffic.pulled.load(Ordering::Relaxed),
        }
    }

    /// Why the connection ended; `None` while it stands.
    pub fn ended(&self) -> Option<DirectError> {
        self.0.lock().ended()
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("counters", &self.counters()).field("ended", &self.ended()).finish()
    }
}
