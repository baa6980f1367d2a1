//! The seam between SPNEGO and a mechanism; where Kerberos will go beside NTLM.

use super::{AuthError, NtHash, Oid, SessionKey};

/// What a mechanism does with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MechanismStep {
    /// Send this; an answer is expected.
    Continue(Vec<u8>),
    /// Done on this side; send this, if there is something, and expect nothing more.
    Done(Option<Vec<u8>>),
}

/// The client's side of a mechanism.
pub trait ClientMechanism: Send + std::fmt::Debug {
    /// Its name in SPNEGO.
    fn oid(&self) -> Oid;
    /// Takes the server's token (at first an empty one) and makes the next.
    fn step(&mut self, token: &[u8]) -> Result<MechanismStep, AuthError>;
    /// The key, once this side is done.
    fn session_key(&self) -> Option<&SessionKey>;
    /// The signature over the mechanism list; `None` where the context cannot sign.
    fn sign(&self, message: &[u8]) -> Option<Vec<u8>>;
    /// Whether the server's signature over the mechanism list is right.
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool;
}

/// The server's side of a mechanism.
pub trait ServerMechanism: Send + std::fmt::Debug {
    /// Its name in SPNEGO.
    fn oid(&self) -> Oid;
    /// Takes the client's token and makes the next.
    fn step(&mut self, token: &[u8], accounts: &dyn Accounts) -> Result<MechanismStep, AuthError>;
    /// Who the client is, once done.
    fn identity(&self) -> Option<&Identity>;
    /// The key, once done; `None` for those who have no password here.
    fn session_key(&self) -> Option<&SessionKey>;
    /// The signature over the mechanism list; `None` where the context cannot sign.
    fn sign(&self, message: &[u8]) -> Option<Vec<u8>>;
    /// Whether the client's signature over the mechanism list is right; `None` where there is no key to tell.
    fn verify(&self, message: &[u8], signature: &[u8]) -> Option<bool>;
}

/// Who may log on. Any `Fn(user, domain) -> Option<NtHash>` is one that lets in nobody else.
pub trait Accounts {
    /// The password hash of an account. Names come as the client sent them: compare without regard to
    /// case, and be generous with the domain, where clients send anything.
    fn nt_hash(&self, user: &str, domain: &str) -> Option<NtHash>;

    /// Whether clients without a name are let in.
    fn anonymous(&self) -> bool {
        false
    }

    /// Whether this client, whose account [`nt_hash`](Self::nt_hash) does not know, is let in as a guest.
    fn guest(&self, _user: &str, _domain: &str) -> bool {
        false
    }
}

impl<F: Fn(&str, &str) -> Option<NtHash>> Accounts for F {
    fn nt_hash(&self, user: &str, domain: &str) -> Option<NtHash> {
        self(user, domain)
    }
}

/// Who a client is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Identity {
    /// A user who proved to know the password.
    User {
        /// The name as the client sent it.
        user: String,
        /// The domain as the client sent it.
        domain: String,
        /// The client's machine as it calls itself; proves nothing.
        workstation: String,
        /// The service principal name that the client meant to reach, covered by the password's proof.
        target_name: Option<String>,
        /// MD5 of the client's channel bindings, covered by the password's proof.
        channel_bindings: Option<[u8; 16]>,
    },
    /// Somebody unknown, let in by [`Accounts::guest`]. SMB2_SESSION_FLAG_IS_GUEST; no key.
    Guest {
        /// The name the client gave.
        user: String,
        /// The domain the client gave.
        domain: String,
    },
    /// A client without a name, let in by [`Accounts::anonymous`]. SMB2_SESSION_FLAG_IS_NULL; no key.
    Anonymous,
}
