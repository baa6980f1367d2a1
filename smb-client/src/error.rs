//! Errors, by who is at fault. All of them can be cloned: one lost connection fails many requests.

pub use smb_proto::status::Advice;
use smb_proto::{
    auth::AuthError,
    command::Command,
    error::{ParseError, PeerViolation, StatusError},
    status::NtStatus,
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
    /// The connection failed while the request was under way: it may or may not have been executed.
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
    /// The connection had ended before the request was sent, and no other could be made: nothing was executed. The reason
    /// is inside.
    #[error("not sent: {0}")]
    NotSent(Arc<Error>),
    /// The file, directory or lock was open on a connection that has ended; the server has closed it. Open it again. The
    /// reason is inside.
    #[error("what was open has gone with its connection; open it again ({0})")]
    OpenLost(Arc<Error>),
    /// A call to a service of the server could not be made.
    #[error("{0}")]
    Rpc(#[from] smb_proto::rpc::RpcError),
    /// A service of the server answered with an error of its own: a Win32 code of [MS-ERREF] 2.2.
    #[error("{call} failed with error {code}")]
    Remote {
        /// The procedure.
        call: &'static str,
        /// The code.
        code: u32,
    },
    /// A transfer could not be completed.
    #[error("{0}")]
    Transfer(#[from] TransferError),
}

/// Whether the server has done what a request asked for that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Executed {
    /// It has not: the request can be made again.
    No,
    /// Nobody can say: look before you make the request again, unless doing it twice does no harm.
    Maybe,
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
    /// One file or directory of a tree could not be transferred.
    #[error("{path}: {error}")]
    In {
        /// Which, from the top of the tree; empty for the top itself.
        path: String,
        /// Why.
        error: Arc<Error>,
    },
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
            Self::NotSent(reason) => reason.advice(),
            // The session may be sound again; the open has to be made anew.
            Self::OpenLost(_) => Advice::NewSession,
            Self::Transfer(TransferError::In { error, .. }) => error.advice(),
            Self::Auth(_) | Self::Usage(_) | Self::Transfer(_) | Self::Rpc(_) | Self::Remote { .. } => {
                Advice::GiveUp
            }
        }
    }

    /// Whether the server may have executed the request all the same.
    pub fn executed(&self) -> Executed {
        match self {
            // Warnings and refusals are the server's word that it did nothing, but for a server that timed out itself.
            Self::Status(refused) if refused.status == NtStatus::IO_TIMEOUT => Executed::Maybe,
            Self::Status(_) | Self::Auth(_) | Self::Usage(_) | Self::NotSent(_) | Self::OpenLost(_) => {
                Executed::No
            }
            Self::Violation(_) | Self::Transport(_) | Self::Timeout { .. } | Self::Stalled { .. } => {
                Executed::Maybe
            }
            Self::Transfer(_) | Self::Rpc(_) => Executed::Maybe,
            Self::Remote { .. } => Executed::No,
        }
    }

    /// Whether the server says that there is no such file or directory.
    pub fn is_not_found(&self) -> bool {
        matches!(
            self.status(),
            Some(NtStatus::OBJECT_NAME_NOT_FOUND | NtStatus::OBJECT_PATH_NOT_FOUND | NtStatus::NO_SUCH_FILE)
        )
    }

    /// The status, where the server refused.
    pub fn status(&self) -> Option<NtStatus> {
        match self {
            Self::Status(error) => Some(error.status),
            Self::Transfer(TransferError::In { error, .. }) => error.status(),
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
        let kind = match &error {
            Error::Status(refused) => match refused.status {
                NtStatus::ACCESS_DENIED => io::ErrorKind::PermissionDenied,
                NtStatus::OBJECT_NAME_NOT_FOUND | NtStatus::OBJECT_PATH_NOT_FOUND => io::ErrorKind::NotFound,
                NtStatus::OBJECT_NAME_COLLISION => io::ErrorKind::AlreadyExists,
                NtStatus::DISK_FULL => io::ErrorKind::StorageFull,
                NtStatus::DIRECTORY_NOT_EMPTY => io::ErrorKind::DirectoryNotEmpty,
                NtStatus::NOT_A_DIRECTORY => io::ErrorKind::NotADirectory,
                NtStatus::FILE_IS_A_DIRECTORY => io::ErrorKind::IsADirectory,
                NtStatus::MEDIA_WRITE_PROTECTED => io::ErrorKind::ReadOnlyFilesystem,
                NtStatus::NOT_SUPPORTED => io::ErrorKind::Unsupported,
                _ => io::ErrorKind::Other,
            },
            Error::Transport(_) | Error::NotSent(_) | Error::OpenLost(_) => io::ErrorKind::ConnectionAborted,
            Error::Timeout { .. } | Error::Stalled { .. } => io::ErrorKind::TimedOut,
            Error::Violation(_) => io::ErrorKind::InvalidData,
            Error::Usage(_) => io::ErrorKind::InvalidInput,
            Error::Auth(_) => io::ErrorKind::PermissionDenied,
            Error::Transfer(_) | Error::Rpc(_) | Error::Remote { .. } => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
