//! The preauthentication integrity hash — [MS-SMB2] 3.1.4.4.1 (3.2.5.2 and 3.3.5.4 say which messages count).

use super::provider::{Provider, default_provider};

/// A SHA-512 chain over whole messages: each value is the hash of the one before and the next message.
/// One per connection over NEGOTIATE; cloned from there one per authentication over SESSION_SETUP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreauthHash([u8; 64]);

impl PreauthHash {
    /// The beginning: 64 zero bytes.
    pub const fn new() -> Self {
        Self([0; 64])
    }

    /// Takes in one whole message as it crossed the wire, from its SMB2 header on.
    pub fn update(&mut self, message: &[u8]) {
        self.update_with(default_provider(), message);
    }

    /// As [`update`](Self::update), by a given provider.
    pub fn update_with(&mut self, provider: &dyn Provider, message: &[u8]) {
        self.0 = provider.sha512(&[&self.0, message]);
    }

    /// The value so far.
    pub const fn value(&self) -> &[u8; 64] {
        &self.0
    }
}

impl Default for PreauthHash {
    fn default() -> Self {
        Self::new()
    }
}
