//! Errors, by who is at fault. All of them can be cloned: one lost connection fails many requests.

pub use smb_proto::status::Advice;
use smb_proto::{
    auth::AuthError,
    command::Command,
    error::{ParseError, PeerViolation, StatusError},
};
use smb_transport::TransportError;
use std::{io, sync::Arc, time::Duration};

/// What went wrong. [`advice`](Self::advice) says what can be done about it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server refused the request.
    #[error("{0}")]
    Status(#[from] StatusError),
    /// The server broke a rule of the protocol; the connection was dropped.
    #[error("the server broke the protocol: {0}")]
    Violation(#[from] PeerViolation),
    /// The connection failed. What was under way may or may not have happened.
    #[error("the connection failed: {0}")]
    Transport(#[from] TransportError),
    /// The authentication exchange failed.
    #[error("authentication failed: {0}")]
    Auth(#[from] AuthError),
    /// The caller asked for something that cannot be.
    #[error("{0}")]
    Usage(#[from] UsageError),
    /// The server answers others, but not this request.
    #[error("no answer to {command:?} within {after:?}")]
    Timeout {
        /// The request.
        command: Command,
        /// How long it waited.
        after: Duration,
    },
    /// The server holds the connection but says nothing, not even to an ECHO; the connection was dropped.
    #[error("the server has been silent for {silent:?}")]
    Stalled {
        /// How long it was silent while requests waited.
        silent: Duration,
    },
    /// A transfer could not be completed.
    #[error("{0}")]
    Transfer(#[from] TransferError),
}

/// The caller's mistake, or a wish that this server cannot fulfil. Trying again does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UsageError {
    /// A path that no server can have.
    #[error("the path is not valid: {0}")]
    Path(&'static str),
    /// An option out of its range, or two that exclude each other.
    #[error("option {option}: {rule}")]
    Option {
        /// The option.
        option: &'static str,
        /// What is wrong with it.
        rule: &'static str,
    },
    /// Neither user name nor password leads to a session that can do what was asked.
    #[error(
        "the server let us in as a guest, whose requests cannot be {0}; log on with an account, or do not require it"
    )]
    Guest(&'static str),
    /// The server requires signing, which was turned off.
    #[error("the server requires signing: do not turn it off")]
    SigningOff,
    /// Encryption is required, by us or the server, and there is no common cipher.
    #[error("encryption is required, but dialect {dialect} with this server has no common cipher")]
    NoCipher {
        /// The dialect negotiated.
        dialect: smb_proto::dialect::Dialect,
    },
    /// A handle was used after it was closed.
    #[error("the handle is closed")]
    Closed,
    /// The address cannot be resolved or parsed.
    #[error("the address cannot be resolved")]
    Address,
    /// The system gives no random bytes, without which there are no secrets.
    #[error("a secure source of random bytes is missing")]
    NoEntropy,
}

/// Why a transfer is not complete. Nothing is ever short in silence.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The local source failed.
    #[error("reading the source at byte {offset}: {error}")]
    Source {
        /// Where.
        offset: u64,
        /// Why.
        error: Arc<io::Error>,
    },
    /// The local sink failed.
    #[error("writing the local copy at byte {offset}: {error}")]
    Sink {
        /// Where.
        offset: u64,
        /// Why.
        error: Arc<io::Error>,
    },
    /// The source ended before the size it had.
    #[error("the source ended at byte {found} though it had {expected}")]
    SourceShrank {
        /// Bytes at the start.
        expected: u64,
        /// Bytes that came.
        found: u64,
    },
    /// The remote file ended before the size it had.
    #[error("the remote file ended at byte {found} though it had {expected}")]
    RemoteShrank {
        /// Bytes at the start.
        expected: u64,
        /// Bytes that came.
        found: u64,
    },
    /// The server wrote fewer bytes than it was sent.
    #[error("the server wrote {found} of {expected} bytes at {offset}")]
    ShortWrite {
        /// Where.
        offset: u64,
        /// Bytes sent.
        expected: u64,
        /// Bytes written.
        found: u64,
    },
    /// The file's size afterwards is not what was written.
    #[error("the remote file has {found} bytes after {expected} were written")]
    Size {
        /// Bytes written.
        expected: u64,
        /// Bytes there.
        found: u64,
    },
    /// What was read back differs from what was written.
    #[error("the remote file differs from what was written: {0}")]
    Differs(&'static str),
    /// A task of the transfer died.
    #[error("a worker of the transfer ended without a result")]
    Worker,
}

impl Error {
    /// What can be done.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Status(error) => error.status.advice(),
            Self::Transport(_) | Self::Stalled { .. } | Self::Violation(_) => Advice::FailOver,
            Self::Timeout { .. } => Advice::Retry,
            Self::Auth(_) | Self::Usage(_) | Self::Transfer(_) => Advice::GiveUp,
        }
    }

    /// The status, where the server refused.
    pub fn status(&self) -> Option<smb_proto::status::NtStatus> {
        match self {
            Self::Status(error) => Some(error.status),
            _ => None,
        }
    }
}

impl From<ParseError> for Error {
    fn from(error: ParseError) -> Self {
        Self::Violation(error.into())
    }
}

impl From<Error> for io::Error {
    /// For the `AsyncRead` and `AsyncWrite` adapters; the [`Error`] is the source of what comes out.
    fn from(error: Error) -> Self {
        use smb_proto::status::NtStatus;
        let kind = match &error {
            Error::Status(refused) => match refused.status {
                NtStatus::ACCESS_DENIED => io::ErrorKind::PermissionDenied,
                NtStatus::OBJECT_NAME_NOT_FOUND | NtStatus::OBJECT_PATH_NOT_FOUND => io::ErrorKind::NotFound,
                NtStatus::OBJECT_NAME_COLLISION => io::ErrorKind::AlreadyExists,
                NtStatus::DISK_FULL => io::ErrorKind::StorageFull,
                _ => io::ErrorKind::Other,
            },
            Error::Transport(_) => io::ErrorKind::ConnectionAborted,
            Error::Timeout { .. } | Error::Stalled { .. } => io::ErrorKind::TimedOut,
            Error::Violation(_) => io::ErrorKind::InvalidData,
            Error::Usage(_) => io::ErrorKind::InvalidInput,
            Error::Auth(_) => io::ErrorKind::PermissionDenied,
            Error::Transfer(_) => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
