//! Errors of the link.

use std::io;

/// The link failed. What to do: fail over to another channel or reconnect; nothing is known of the
/// requests that were under way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The connection was closed, by us or in an orderly way by the peer.
    #[error("the connection is closed")]
    Closed,
    /// The peer went away in the middle of a message.
    #[error("the connection ended in the middle of a message")]
    Cut,
    /// The operating system reported an error.
    #[error("{}", describe(*.kind, *.os_error))]
    Io {
        /// Its kind.
        kind: io::ErrorKind,
        /// Its number, where the system gave one.
        os_error: Option<i32>,
    },
    /// What carries the connection says why it is gone, or why there is none.
    #[error("{what}{}{why}", if .why.is_empty() { "" } else { ": " })]
    Wire {
        /// What that is nearest to among the system's errors.
        kind: io::ErrorKind,
        /// What happened, in words.
        what: &'static str,
        /// Why, where that is known; else empty.
        why: &'static str,
    },
    /// A message longer than this side accepts in this state.
    #[error("message of {len} bytes is over the limit of {limit}")]
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The framing is not SMB's.
    #[error("not an SMB transport: frame type {0:#04x}")]
    Framing(u8),
    /// Nothing happened for too long.
    #[error("timed out")]
    TimedOut,
    /// A message of no bytes, which this transport cannot carry.
    #[error("an empty message cannot be carried")]
    Empty,
    /// Direct placement was refused or is not there.
    #[error("direct placement: {0}")]
    Placement(&'static str),
}

fn describe(kind: io::ErrorKind, os_error: Option<i32>) -> String {
    match os_error {
        Some(number) => io::Error::from_raw_os_error(number).to_string(),
        None => kind.to_string(),
    }
}

impl From<io::Error> for TransportError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::TimedOut,
            io::ErrorKind::UnexpectedEof => Self::Cut,
            kind => Self::Io { kind, os_error: error.raw_os_error() },
        }
    }
}
