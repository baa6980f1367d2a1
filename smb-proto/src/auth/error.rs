//! Why an authentication did not come about.

use crate::{error::ParseError, status::NtStatus};

/// A failed authentication exchange.
///
/// What to do: a server answers [`AuthError::status`] and forgets the exchange; a client gives up, since the
/// same tokens cannot succeed a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// The token cannot be read.
    #[error("malformed authentication token: {0}")]
    Malformed(#[from] ParseError),
    /// The token can be read but breaks a rule of [MS-NLMP], [MS-SPNG] or RFC 4178.
    #[error("authentication token: {0}")]
    Token(&'static str),
    /// The user is unknown or the password is wrong; which of them is never told.
    #[error("wrong user name or password")]
    LogonFailure,
    /// The peer answered with LM or NTLMv1, which give the password away.
    #[error("LM and NTLMv1 are refused; the client must use NTLMv2")]
    Ntlmv1,
    /// The client came without a name and the server does not let such clients in.
    #[error("anonymous log-on is refused")]
    AnonymousRefused,
    /// The peer lacks something that a safe exchange needs.
    #[error("the peer does not negotiate {0}")]
    Weak(&'static str),
    /// The AUTHENTICATE message has no MIC though the server sent a timestamp ([MS-NLMP] 3.1.5.1.2).
    #[error("the AUTHENTICATE message carries no MIC")]
    MissingMic,
    /// The MIC does not match: one of the three NTLM messages was changed on the way.
    #[error("the MIC does not match: the exchange was tampered with")]
    BadMic,
    /// The mechListMIC is missing where it is required (RFC 4178 section 5).
    #[error("the mechListMIC is missing")]
    MissingMechListMic,
    /// The mechListMIC does not match: the list of mechanisms was changed on the way.
    #[error("the mechListMIC does not match: the negotiation was tampered with")]
    BadMechListMic,
    /// No mechanism that both sides know.
    #[error("no common authentication mechanism")]
    NoCommonMechanism,
    /// The peer ended the negotiation.
    #[error("the peer rejected the negotiation")]
    Rejected,
    /// A token that has no place in this state of the exchange.
    #[error("no token is expected in this state")]
    State,
}

impl AuthError {
    /// The status a server answers SESSION_SETUP with — [MS-SMB2] 3.3.5.5.3.
    pub const fn status(&self) -> NtStatus {
        match self {
            Self::Malformed(_)
            | Self::Token(_)
            | Self::MissingMic
            | Self::BadMic
            | Self::MissingMechListMic
            | Self::BadMechListMic
            | Self::State => NtStatus::INVALID_PARAMETER,
            Self::LogonFailure | Self::Ntlmv1 | Self::Rejected => NtStatus::LOGON_FAILURE,
            Self::AnonymousRefused => NtStatus::ACCESS_DENIED,
            Self::Weak(_) | Self::NoCommonMechanism => NtStatus::NOT_SUPPORTED,
        }
    }
}
