//! SESSION_SETUP: the legs of an authentication and the keys that come of it — [MS-SMB2] 3.2.4.2.3, 3.2.5.3.
//!
//! ```text
//!           first                    answered: MORE_PROCESSING_REQUIRED
//!   Start ──────────▶ Setup ◀──────────────────────────┐
//!                       ├── answered ── next token ─────┘
//!                       └── answered: SUCCESS ──▶ Established (keys, flags; the last answer's signature to check)
//! ```
//!
//! The driver calls [`first`](Setup::first), then for each leg [`sent`](Setup::sent) with the request as it crossed the
//! wire and [`answered`](Setup::answered) with the response, until a leg gives [`Leg::Established`].

use super::{
    negotiate::Negotiated,
    protect::{Sealer, Security},
};
use crate::error::{Error, UsageError};
use smb_proto::{
    auth::{ClientAuth, ClientStep},
    command::Command,
    crypto::{CryptoError, NonceCounter, PreauthHash, SealingKey, SessionKeys, SigningKey},
    dialect::Dialect,
    error::{PeerViolation, StatusError},
    header::{Header, HeaderFlags},
    msg::{
        Capabilities, SecurityMode, SessionFlags, SessionSetupFlags, SessionSetupRequest,
        SessionSetupResponse,
    },
    status::NtStatus,
};

/// What the caller wants of the session's protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    /// Sign everything that is not sealed, or refuse.
    pub require_signing: bool,
    /// Never sign; a server that requires it is refused.
    pub never_sign: bool,
    /// Seal everything, or refuse.
    pub require_sealing: bool,
}

/// Who the server takes us for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    User,
    Guest,
    Anonymous,
}

/// What comes after a leg.
#[derive(Debug)]
pub(crate) enum Leg {
    /// Another request.
    Send(SessionSetupRequest),
    /// Done.
    Established(Box<Established>),
}

/// A session.
#[derive(Debug)]
pub(crate) struct Established {
    pub security: Security,
    pub identity: Identity,
    /// What the authentication gave, for a key log.
    pub session_key: Option<smb_proto::auth::SessionKey>,
    /// What came of it, for a key log.
    pub keys: Option<SessionKeys>,
    /// The last answer must be verified before anything else is done.
    pub verify_last: bool,
}

/// An authentication under way.
#[derive(Debug)]
pub(crate) struct Setup {
    auth: ClientAuth,
    preauth: PreauthHash,
    dialect: Dialect,
    negotiated: Negotiated,
    policy: Policy,
    security_mode: SecurityMode,
    nonce_prefix: [u8; 4],
    session_id: u64,
    previous_session_id: u64,
}

impl Setup {
    /// `preauth` is the connection's hash after NEGOTIATE; `nonce_prefix` is random.
    pub fn new(
        auth: ClientAuth,
        preauth: PreauthHash,
        negotiated: Negotiated,
        policy: Policy,
        nonce_prefix: [u8; 4],
    ) -> Self {
        let mode = if policy.require_signing {
            SecurityMode::SIGNING_ENABLED | SecurityMode::SIGNING_REQUIRED
        } else {
            SecurityMode::SIGNING_ENABLED
        };
        let dialect = negotiated.dialect;
        Self {
            auth,
            preauth,
            dialect,
            negotiated,
            policy,
            security_mode: mode,
            nonce_prefix,
            session_id: 0,
            previous_session_id: 0,
        }
    }

    /// In place of the session `id`, which the server then ends; 0 for none — [MS-SMB2] 3.2.4.2.3.
    pub fn replacing(mut self, id: u64) -> Self {
        self.previous_session_id = id;
        self
    }

    /// The first request.
    pub fn first(&mut self) -> Result<SessionSetupRequest, Error> {
        let token = self.auth.start(&self.negotiated.token)?;
        Ok(self.request(token))
    }

    /// The session's id, 0 before the server gave one.
    pub fn session_id(&self) -> u64 {
        self.session_id
    }

    /// Takes note of a request as it crossed the wire.
    pub fn sent(&mut self, message: &[u8]) {
        self.preauth.update(message);
    }

    /// Takes a response: its header, its bytes as they came, and what it says.
    pub fn answered(
        &mut self,
        header: &Header,
        message: &[u8],
        answer: &SessionSetupResponse,
    ) -> Result<Leg, Error> {
        self.check_id(header)?;
        match header.status() {
            Some(NtStatus::MORE_PROCESSING_REQUIRED) => {
                self.preauth.update(message);
                match self.auth.step(&answer.token)? {
                    ClientStep::Send(token) => Ok(Leg::Send(self.request(token))),
                    ClientStep::Done(_) => Err(violation("another leg is asked for when all was said")),
                }
            }
            Some(NtStatus::SUCCESS) => self.establish(header, answer).map(Leg::Established),
            status => {
                let status = status.unwrap_or_default();
                Err(StatusError { command: Command::SESSION_SETUP, status }.into())
            }
        }
    }

    fn check_id(&mut self, header: &Header) -> Result<(), Error> {
        let failed = header.status().is_some_and(NtStatus::is_error)
            && header.status() != Some(NtStatus::MORE_PROCESSING_REQUIRED);
        if failed {
            return Ok(());
        }
        match (self.session_id, header.session_id) {
            (_, 0) => Err(violation("the session has no id")),
            (0, id) => {
                self.session_id = id;
                Ok(())
            }
            (ours, id) if ours == id => Ok(()),
            _ => Err(violation("the session's id has changed")),
        }
    }

    fn request(&self, token: Vec<u8>) -> SessionSetupRequest {
        SessionSetupRequest {
            flags: SessionSetupFlags::NONE,
            security_mode: self.security_mode,
            capabilities: Capabilities::NONE,
            previous_session_id: self.previous_session_id,
            token,
        }
    }

    fn establish(
        &mut self,
        header: &Header,
        answer: &SessionSetupResponse,
    ) -> Result<Box<Established>, Error> {
        if let Some(identity) = identity(answer.flags) {
            return self.keyless(identity, answer.flags);
        }
        let ClientStep::Done(session_key) = self.auth.step(&answer.token)? else {
            return Err(violation("success before the authentication was over"));
        };
        let signed = header.flags.contains(HeaderFlags::SIGNED);
        if !signed && (self.dialect == Dialect::SMB_3_1_1 || self.policy.require_signing) {
            return Err(PeerViolation::Unsigned(Command::SESSION_SETUP).into());
        }
        let hash = (self.dialect == Dialect::SMB_3_1_1).then(|| self.preauth.value());
        let keys = SessionKeys::derive(self.dialect, session_key.as_bytes(), hash, self.negotiated.cipher);
        let security = self.security(&keys, answer.flags)?;
        Ok(Box::new(Established {
            security,
            identity: Identity::User,
            session_key: Some(session_key),
            keys: Some(keys),
            verify_last: signed,
        }))
    }

    /// Guests and the anonymous have no key: they can neither sign nor seal.
    fn keyless(&self, identity: Identity, flags: SessionFlags) -> Result<Box<Established>, Error> {
        if self.policy.require_sealing || flags.contains(SessionFlags::ENCRYPT_DATA) {
            return Err(UsageError::Guest("sealed").into());
        }
        if self.policy.require_signing {
            return Err(UsageError::Guest("signed").into());
        }
        let security =
            Security { session_id: self.session_id, signing: None, sign: false, seal: false, sealer: None };
        Ok(Box::new(Established { security, identity, session_key: None, keys: None, verify_last: false }))
    }

    fn security(&self, keys: &SessionKeys, flags: SessionFlags) -> Result<Security, Error> {
        let seal = self.policy.require_sealing || flags.contains(SessionFlags::ENCRYPT_DATA);
        let sealer = self.sealer(keys)?;
        if seal && sealer.is_none() {
            return Err(UsageError::NoCipher { dialect: self.dialect }.into());
        }
        let server_requires = self.negotiated.security_mode.contains(SecurityMode::SIGNING_REQUIRED);
        if self.policy.never_sign && server_requires && !seal {
            return Err(UsageError::SigningOff.into());
        }
        Ok(Security {
            session_id: self.session_id,
            signing: Some(
                SigningKey::new(self.negotiated.signing, keys.signing.as_bytes()).map_err(no_crypto)?,
            ),
            sign: self.policy.require_signing || server_requires,
            seal,
            sealer,
        })
    }

    fn sealer(&self, keys: &SessionKeys) -> Result<Option<Sealer>, Error> {
        let Some(pair) = &keys.cipher else { return Ok(None) };
        let key = |bytes: &[u8]| SealingKey::new(self.negotiated.cipher, bytes).map_err(no_crypto);
        Ok(Some(Sealer {
            seal: key(pair.client_to_server.as_bytes())?,
            open: key(pair.server_to_client.as_bytes())?,
            nonces: NonceCounter::new(self.nonce_prefix).into(),
        }))
    }
}

fn identity(flags: SessionFlags) -> Option<Identity> {
    if flags.contains(SessionFlags::IS_NULL) {
        Some(Identity::Anonymous)
    } else {
        flags.contains(SessionFlags::IS_GUEST).then_some(Identity::Guest)
    }
}

fn violation(rule: &'static str) -> Error {
    PeerViolation::Response { command: Command::SESSION_SETUP, rule }.into()
}

/// The build lacks an algorithm, which the offer then should not have named.
fn no_crypto(_: CryptoError) -> Error {
    UsageError::Option { option: "cipher or signing algorithm", rule: "this build does not have it" }.into()
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
