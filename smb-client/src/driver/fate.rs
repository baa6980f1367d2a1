//! How a channel ended, once it has.

use crate::error::Error;
use std::sync::OnceLock;
use tokio::sync::watch;

/// Set once; everybody can wait for it.
#[derive(Debug)]
pub(super) struct Fate {
    error: OnceLock<Error>,
    ended: watch::Sender<bool>,
}

impl Fate {
    pub fn new() -> Self {
        Self { error: OnceLock::new(), ended: watch::Sender::new(false) }
    }

    /// Ends the channel; `false` where it had ended before, for a reason that stands.
    pub fn end(&self, error: Error) -> bool {
        let first = self.error.set(error).is_ok();
        self.ended.send_replace(true);
        first
    }

    /// The reason, if it has ended.
    pub fn error(&self) -> Option<Error> {
        self.error.get().cloned()
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.error.get().is_some()
    }

    /// Resolves when it ends.
    pub async fn ended(&self) {
        // The sender lives as long as `self`.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }
}
