//! Errors of a provider.

use std::io;

/// An RDMA operation or connection failed. What to do: another transport or another address where a connection does not
/// come up; another channel where it was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RdmaError {
    /// The connection is closed.
    #[error("the RDMA connection is closed")]
    Closed,
    /// Nobody listens there.
    #[error("nobody listens at that address")]
    Refused,
    /// The peer looked at the request and turned it down.
    #[error("the peer rejected the connection")]
    Rejected,
    /// No way leads to that address.
    #[error("the address is not reached by RDMA: {0}")]
    Unreachable(&'static str),
    /// The peer did not answer in time.
    #[error("the peer did not answer in time")]
    TimedOut,
    /// There is no device for that address.
    #[error("no RDMA device: {0}")]
    NoDevice(&'static str),
    /// The device went away.
    #[error("the RDMA device was removed")]
    DeviceRemoved,
    /// The port of the device lost its link.
    #[error("the port of the RDMA device is down")]
    PortDown,
    /// The device gave the connection up.
    #[error("the RDMA device gave the connection up: {0}")]
    Failed(&'static str),
    /// A message met no posted receive, or one too small for it.
    #[error("the receiver was not ready")]
    ReceiverNotReady,
    /// Memory was reached for that is not open, or not for that, or not so far.
    #[error("remote access refused: {0}")]
    RemoteAccess(&'static str),
    /// A queue is full, or a request is over what the device does at a time.
    #[error("over a limit of the device: {0}")]
    Limit(&'static str),
    /// The system reported an error.
    #[error("{}", .os_error.map_or_else(|| .kind.to_string(), |number| io::Error::from_raw_os_error(number).to_string()))]
    Io {
        /// Its kind.
        kind: io::ErrorKind,
        /// Its number, where the system gave one.
        os_error: Option<i32>,
    },
}

impl From<&io::Error> for RdmaError {
    fn from(error: &io::Error) -> Self {
        Self::Io { kind: error.kind(), os_error: error.raw_os_error() }
    }
}
