//! A session on one connection: what signs and verifies there.
//!
//! A session has one or more channels, each with its own signing key; its sealing keys are the session's.

use super::session::Session;
use smb_proto::crypto::sign::SigningKey;
use std::sync::Arc;

/// One channel of a session — [MS-SMB2] 3.3.1.12.
#[derive(Debug, Clone)]
pub struct Channel {
    /// The session.
    pub session: Arc<Session>,
    /// Channel.SigningKey; `None` for guests and the anonymous.
    pub signing: Option<SigningKey>,
}
