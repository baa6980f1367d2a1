//! Why a connection does not stand.

use crate::{rdma::RdmaError, smbd::CloseReason};
use smb_transport::TransportError;
use std::io;

/// An SMB Direct connection did not come up, or ended. What to do: another channel, or TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectError {
    /// There is no RDMA connection to begin with.
    #[error(transparent)]
    Rdma(#[from] RdmaError),
    /// There was one, and it ended.
    #[error("{reason}{}", because(fault))]
    Ended {
        /// Why.
        reason: CloseReason,
        /// What the provider said about it.
        fault: Option<RdmaError>,
    },
}

fn because(fault: &Option<RdmaError>) -> String {
    fault.map(|fault| format!(": {fault}")).unwrap_or_default()
}

impl From<DirectError> for TransportError {
    fn from(error: DirectError) -> Self {
        let broken = |kind| Self::Io { kind, os_error: None };
        match error {
            DirectError::Rdma(error)
            | DirectError::Ended { reason: CloseReason::Disconnected, fault: Some(error) } => lost(&error),
            DirectError::Ended { reason, .. } => match reason {
                CloseReason::Closed | CloseReason::Disconnected => Self::Closed,
                CloseReason::TooLong { len, limit } => Self::TooLong { len, limit },
                CloseReason::NegotiationTimedOut | CloseReason::KeepaliveTimedOut => Self::TimedOut,
                CloseReason::Refused(_) => broken(io::ErrorKind::ConnectionRefused),
                CloseReason::Violation(_) => broken(io::ErrorKind::InvalidData),
            },
        }
    }
}

/// A provider's error as one of the link.
pub(super) fn lost(error: &RdmaError) -> TransportError {
    let broken = |kind| TransportError::Io { kind, os_error: None };
    match error {
        RdmaError::Closed => TransportError::Closed,
        RdmaError::Refused | RdmaError::Rejected => broken(io::ErrorKind::ConnectionRefused),
        RdmaError::NoDevice(_) => broken(io::ErrorKind::Unsupported),
        RdmaError::DeviceRemoved => broken(io::ErrorKind::NotConnected),
        RdmaError::Unreachable(_) => broken(io::ErrorKind::HostUnreachable),
        RdmaError::PortDown => broken(io::ErrorKind::NetworkDown),
        RdmaError::TimedOut => TransportError::TimedOut,
        RdmaError::Io(kind) => broken(*kind),
        RdmaError::ReceiverNotReady
        | RdmaError::RemoteAccess(_)
        | RdmaError::Limit(_)
        | RdmaError::Failed(_) => broken(io::ErrorKind::ConnectionReset),
    }
}
