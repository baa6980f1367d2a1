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
pub struct Progress {
    now: Arc<watch::Sender<Transferred>>,
    /// What this is a part of.
    whole: Option<Arc<watch::Sender<Transferred>>>,
}

impl Default for Progress {
    fn default() -> Self {
        Self { now: Arc::new(watch::Sender::new(Transferred::default())), whole: None }
    }
}

impl Progress {
    /// Nothing transferred yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How far it is now.
    pub fn now(&self) -> Transferred {
        *self.now.borrow()
    }

    /// To wait for changes.
    pub fn watch(&self) -> watch::Receiver<Transferred> {
        self.now.subscribe()
    }

    /// For one of several transfers: what it reports is added up here.
    pub(crate) fn part(&self) -> Self {
        Self { whole: Some(self.now.clone()), ..Self::default() }
    }

    pub(crate) fn begin(&self, total: Option<u64>) {
        self.now.send_replace(Transferred { bytes: 0, total });
    }

    pub(crate) fn reached(&self, bytes: u64) {
        let before = self.now.send_replace(Transferred { bytes, total: self.now().total }).bytes;
        if let Some(whole) = &self.whole {
            whole.send_modify(|now| now.bytes = now.bytes.saturating_add(bytes.saturating_sub(before)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up() {
        let whole = Progress::new();
        let (one, two) = (whole.part(), whole.part());
        one.begin(Some(10));
        one.reached(4);
        two.reached(5);
        one.reached(10);
        assert_eq!((whole.now().bytes, one.now().bytes, one.now().total), (15, 10, Some(10)));
    }
}
