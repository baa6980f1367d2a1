//! Why a connection ends.

use super::wire::Version;
use smb_proto::{error::ParseError, status::NtStatus};

/// A rule of [MS-SMBD] 3.1.5 the peer broke. The connection is over; another channel of the session may live on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A message too short, or data outside it or not aligned to eight bytes (3.1.5.6 to 3.1.5.8).
    #[error("unreadable SMB Direct message: {0}")]
    Parse(#[from] ParseError),
    /// The peer does not speak version 1.0 (3.1.5.6).
    #[error("the peer speaks versions {:#06x} to {:#06x} only", min.0, max.0)]
    Versions {
        /// The lowest.
        min: Version,
        /// The highest.
        max: Version,
    },
    /// The responder chose a version we did not offer (3.1.5.7).
    #[error("version {:#06x} was not offered", .0.0)]
    Negotiated(Version),
    /// CreditsRequested is zero (3.1.5.6 to 3.1.5.8).
    #[error("the peer asks for no credits")]
    NoCreditsRequested,
    /// CreditsGranted of a negotiation is zero (3.1.5.7).
    #[error("the peer grants no credits to begin with")]
    NoCreditsGranted,
    /// MaxReceiveSize is below 128 (3.1.5.6, 3.1.5.7).
    #[error("MaxReceiveSize {0} is below 128")]
    ReceiveSize(u32),
    /// MaxFragmentedSize is below 131,072 (3.1.5.6, 3.1.5.7).
    #[error("MaxFragmentedSize {0} is below 131072")]
    FragmentedSize(u32),
    /// PreferredSendSize of a response is over what we receive (3.1.5.7).
    #[error("PreferredSendSize {0} is over our MaxReceiveSize")]
    SendSize(u32),
    /// A message for which the peer had no credit (3.1.5.1).
    #[error("a message without a credit for it")]
    NoCredit,
    /// Credits granted beyond what the peer can have posted.
    #[error("{granted} credits on top of {held} cannot be")]
    OverGrant {
        /// What we had.
        held: u16,
        /// What came in addition.
        granted: u16,
    },
    /// DataLength and RemainingDataLength are over MaxFragmentedSize together (3.1.5.8).
    #[error("an upper-layer message of {0} bytes is over MaxFragmentedSize")]
    TooLong(u64),
    /// A fragment that does not continue the message before it (3.1.5.8).
    #[error("a fragment announces {found} bytes where {expected} are missing")]
    Fragment {
        /// Bytes missing.
        expected: u64,
        /// Bytes of the fragment and what it says follows.
        found: u64,
    },
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// We closed it, and all that was queued has been sent.
    #[error("closed")]
    Closed,
    /// The link went away.
    #[error("the RDMA connection is gone")]
    Disconnected,
    /// The peer broke a rule.
    #[error("protocol violation: {0}")]
    Violation(#[from] Violation),
    /// The peer refused the negotiation.
    #[error("the peer refuses SMB Direct: {0}")]
    Refused(NtStatus),
    /// The negotiation took too long — [MS-SMBD] 3.1.6.1.
    #[error("the SMB Direct negotiation timed out")]
    NegotiationTimedOut,
    /// The peer was asked for an answer and gave none — [MS-SMBD] 3.1.6.2.
    #[error("the peer no longer answers")]
    KeepaliveTimedOut,
    /// An upper-layer message over the limit set on this side.
    #[error("message of {len} bytes is over the limit of {limit}")]
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
}
