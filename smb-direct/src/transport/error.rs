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
        let broken = |kind, what| Self::Wire { kind, what, why: "" };
        match error {
            DirectError::Rdma(error)
            | DirectError::Ended { reason: CloseReason::Disconnected, fault: Some(error) } => lost(&error),
            DirectError::Ended { reason, .. } => match reason {
                CloseReason::Closed | CloseReason::Disconnected => Self::Closed,
                CloseReason::TooLong { len, limit } => Self::TooLong { len, limit },
                CloseReason::NegotiationTimedOut | CloseReason::KeepaliveTimedOut => Self::TimedOut,
                CloseReason::Refused(_) => {
                    broken(io::ErrorKind::ConnectionRefused, "the peer refused the SMB Direct negotiation")
                }
                CloseReason::Violation(_) => {
                    broken(io::ErrorKind::InvalidData, "the peer broke a rule of SMB Direct")
                }
            },
        }
    }
}

/// A provider's error as one of the link.
pub(super) fn lost(error: &RdmaError) -> TransportError {
    let wire = |kind, what, why| TransportError::Wire { kind, what, why };
    match *error {
        RdmaError::Closed => TransportError::Closed,
        RdmaError::TimedOut => TransportError::TimedOut,
        RdmaError::Io { kind, os_error } => TransportError::Io { kind, os_error },
        RdmaError::Refused => {
            wire(io::ErrorKind::ConnectionRefused, "nobody listens for RDMA at that address", "")
        }
        RdmaError::Rejected => {
            wire(io::ErrorKind::ConnectionRefused, "the peer rejected the RDMA connection", "")
        }
        RdmaError::NoDevice(why) => wire(io::ErrorKind::Unsupported, "no RDMA device", why),
        RdmaError::DeviceRemoved => wire(io::ErrorKind::NotConnected, "the RDMA device was removed", ""),
        RdmaError::Unreachable(why) => {
            wire(io::ErrorKind::HostUnreachable, "the address is not reached by RDMA", why)
        }
        RdmaError::PortDown => wire(io::ErrorKind::NetworkDown, "the port of the RDMA device is down", ""),
        RdmaError::ReceiverNotReady => {
            wire(io::ErrorKind::ConnectionReset, "a message met no posted receive that holds it", "")
        }
        RdmaError::RemoteAccess(why) => {
            wire(io::ErrorKind::ConnectionReset, "remote access was refused", why)
        }
        RdmaError::Limit(why) => wire(io::ErrorKind::ConnectionReset, "over a limit of the RDMA device", why),
        RdmaError::Failed(why) => {
            wire(io::ErrorKind::ConnectionReset, "the RDMA device gave the connection up", why)
        }
    }
}
