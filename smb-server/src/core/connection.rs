//! One connection: what was negotiated, which MessageIds may come, which authentications are under way.
//!
//! ```text
//!            SMB1 multi-protocol NEGOTIATE
//!           ┌────────── 2.??? ──────────┐
//!           ▼                           │
//!   Fresh ──┬── NEGOTIATE ──▶ Negotiated ── SESSION_SETUP… ──▶ (sessions)
//!           │                     │
//!           └ anything else       └ another NEGOTIATE
//!                    ▼                     ▼
//!                        disconnect
//! ```

use super::session::Session;
use smb_proto::{
    auth::ServerAuth,
    command::Command,
    credit::{Load, ServerWindow},
    crypto::preauth::PreauthHash,
    error::PeerViolation,
};
use std::{collections::HashMap, sync::Arc};

/// Credits before anybody has authenticated.
pub const EARLY_CREDITS: u16 = 32;

/// An authentication under way.
#[derive(Debug)]
pub struct Exchange {
    /// The mechanism's state.
    pub auth: ServerAuth,
    /// The hash over the exchange's messages so far.
    pub preauth: PreauthHash,
    /// The session that is authenticated again.
    pub again: Option<Arc<Session>>,
    /// Its first token was answered: the next proves something, or does not.
    pub begun: bool,
}

/// The state of a connection.
#[derive(Debug)]
pub struct Connection {
    negotiated: bool,
    multi_protocol: bool,
    preauth: PreauthHash,
    window: ServerWindow,
    max_credits: u16,
    exchanges: HashMap<u64, Exchange>,
}

impl Connection {
    /// A connection on which nothing was said yet.
    pub fn new(max_credits: u16) -> Self {
        Self {
            negotiated: false,
            multi_protocol: false,
            preauth: PreauthHash::new(),
            window: ServerWindow::new(EARLY_CREDITS.min(max_credits)),
            max_credits,
            exchanges: HashMap::new(),
        }
    }

    /// Whether a command has a place in this state.
    pub fn allows(&self, command: Command) -> Result<(), PeerViolation> {
        if (command == Command::NEGOTIATE) != self.negotiated {
            Ok(())
        } else {
            Err(PeerViolation::State(command))
        }
    }

    /// Takes note of an SMB1 NEGOTIATE, which uses MessageId 0; there is but one.
    pub fn multi_protocol(&mut self) -> Result<(), PeerViolation> {
        if self.multi_protocol || self.negotiated {
            return Err(PeerViolation::State(Command::NEGOTIATE));
        }
        self.multi_protocol = true;
        self.accept(0, 0)
    }

    /// Takes a request's MessageIds out of the window.
    pub fn accept(&mut self, message_id: u64, charge: u16) -> Result<(), PeerViolation> {
        self.window.accept(message_id, charge)
    }

    /// The credits of a response to a request that asked for so many.
    pub fn grant(&mut self, requested: u16) -> u16 {
        self.window.grant(requested, Load::Normal)
    }

    /// The NEGOTIATE succeeded; requests may span several credits where `multi_credit` was agreed.
    pub fn negotiated(&mut self, multi_credit: bool) {
        self.window.set_multi_credit(multi_credit);
        self.negotiated = true;
    }

    /// Takes a message of the NEGOTIATE into the preauthentication hash.
    pub fn hash(&mut self, message: &[u8]) {
        self.preauth.update(message);
    }

    /// Takes an answer of an authentication into its hash.
    pub fn hash_exchange(&mut self, session_id: u64, message: &[u8]) {
        if let Some(exchange) = self.exchanges.get_mut(&session_id) {
            exchange.preauth.update(message);
        }
    }

    /// The hash an authentication begins with.
    pub fn preauth(&self) -> PreauthHash {
        self.preauth.clone()
    }

    /// A client has authenticated: it may have all credits.
    pub fn authenticated(&mut self) {
        self.window.set_maximum(self.max_credits);
    }

    /// Authentications under way.
    pub fn exchanges(&self) -> usize {
        self.exchanges.len()
    }

    /// Takes an authentication out to feed it.
    pub fn take_exchange(&mut self, session_id: u64) -> Option<Exchange> {
        self.exchanges.remove(&session_id)
    }

    /// Keeps an authentication that goes on.
    pub fn keep_exchange(&mut self, session_id: u64, exchange: Exchange) {
        self.exchanges.insert(session_id, exchange);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negotiate_comes_first_and_once() {
        let mut connection = Connection::new(100);
        assert!(connection.allows(Command::ECHO).is_err());
        assert!(connection.allows(Command::NEGOTIATE).is_ok());
        connection.negotiated(true);
        assert!(connection.allows(Command::NEGOTIATE).is_err());
        assert!(connection.allows(Command::SESSION_SETUP).is_ok());
        assert!(connection.multi_protocol().is_err());
    }

    #[test]
    fn an_smb1_negotiate_uses_message_id_0_once() {
        let mut connection = Connection::new(100);
        connection.multi_protocol().unwrap();
        assert!(connection.multi_protocol().is_err());
        assert_eq!(connection.accept(0, 0), Err(PeerViolation::MessageId(0)));
        assert_eq!(connection.grant(1), 1);
        connection.accept(1, 0).unwrap();
    }

    #[test]
    fn all_credits_come_with_authentication() {
        let mut connection = Connection::new(500);
        connection.accept(0, 1).unwrap();
        assert_eq!(connection.grant(500), EARLY_CREDITS);
        connection.accept(1, 1).unwrap();
        connection.authenticated();
        assert_eq!(connection.grant(500), 500 - EARLY_CREDITS + 1);
    }

    #[test]
    fn the_hash_of_an_exchange_goes_on_from_the_connections() {
        let mut connection = Connection::new(1);
        connection.hash(b"negotiate");
        let start = connection.preauth();
        assert_ne!(start, PreauthHash::new());
        connection.hash_exchange(7, b"no such exchange");
        assert_eq!(connection.preauth(), start);
    }
}
