//! Errors of the pure layer, by who is at fault.

use crate::{command::Command, status::NtStatus};

/// The bytes are not what the specification says they are.
///
/// What to do: the message is lost. A server answers `STATUS_INVALID_PARAMETER` where the header was
/// readable and closes the connection where it was not; a client drops the connection, for the stream
/// of messages can no longer be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The input ends before the fixed part of `what` does.
    #[error("{what}: truncated")]
    Truncated {
        /// The structure being read.
        what: &'static str,
    },
    /// An (offset, length) pair given by the peer leaves the message.
    #[error("{what}: {len} bytes at {offset} leave a message of {size} bytes")]
    Bounds {
        /// The field that the pair describes.
        what: &'static str,
        /// Offset from the first byte of the SMB2 header.
        offset: u64,
        /// Length in bytes.
        len: u64,
        /// Size of the whole message in bytes.
        size: u64,
    },
    /// An (offset, length) pair given by the peer begins in the header or the fixed part of its message.
    #[error("{what}: offset {offset} lies in the first {fixed} bytes, which are not the field's")]
    Overlap {
        /// The field that the pair describes.
        what: &'static str,
        /// Offset from the first byte of the SMB2 header.
        offset: u64,
        /// Where the message's variable parts begin.
        fixed: u64,
    },
    /// A `StructureSize` (or protocol identifier) differs from the one the specification fixes.
    #[error("{what}: structure size {found}, not {expected}")]
    StructureSize {
        /// The structure being read.
        what: &'static str,
        /// The value the specification fixes.
        expected: u32,
        /// The value found.
        found: u32,
    },
    /// A field holds a value that has no meaning where it stands.
    #[error("{what}: value {value:#x} is not allowed here")]
    Value {
        /// The field.
        what: &'static str,
        /// The value found.
        value: u64,
    },
    /// A name is not valid UTF-16.
    #[error("{what}: not valid UTF-16")]
    Utf16 {
        /// The field.
        what: &'static str,
    },
    /// A length is over the limit set for it.
    #[error("{what}: {len} is over the limit of {limit}")]
    TooLarge {
        /// The field.
        what: &'static str,
        /// The length found.
        len: u64,
        /// The limit.
        limit: u64,
    },
}

/// The peer's bytes are well formed but break a rule of the protocol.
///
/// What to do: the connection cannot go on; drop it (another channel of the session may live on).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerViolation {
    /// A message that cannot be parsed at all.
    #[error("unreadable message: {0}")]
    Parse(#[from] ParseError),
    /// A MessageId outside the window or used twice ([MS-SMB2] 3.3.5.2.3, 3.2.5.1.2).
    #[error("MessageId {0} is outside the window or was used before")]
    MessageId(u64),
    /// A request of more credits than it pays for ([MS-SMB2] 3.3.5.2.5), or a response that grants more
    /// than the window can hold.
    #[error("CreditCharge {charge} does not cover a payload of {payload} bytes")]
    Credits {
        /// The CreditCharge field.
        charge: u16,
        /// The larger of the payload sent and the answer asked for, in bytes.
        payload: u64,
    },
    /// A signature that is missing where it is required.
    #[error("{0:?} is not signed though the session requires it")]
    Unsigned(Command),
    /// A signature that does not verify.
    #[error("signature of {0:?} does not verify")]
    BadSignature(Command),
    /// A sealed message that does not open, or plain text in a sealed session.
    #[error("message is not sealed as the session requires, or does not open")]
    BadSeal,
    /// A message that has no place in this state of the connection.
    #[error("{0:?} is not allowed in this state")]
    State(Command),
    /// A negotiate answer that differs from what was offered.
    #[error("negotiation: {0}")]
    Negotiate(&'static str),
    /// The dialect or capabilities were tampered with ([MS-SMB2] 3.2.5.5, 3.3.5.15.12).
    #[error("the negotiation was tampered with: {0}")]
    Downgrade(&'static str),
    /// A response that answers no request.
    #[error("response to MessageId {0}, which waits for none")]
    Unsolicited(u64),
    /// A response whose content contradicts the request it answers.
    #[error("{command:?} response breaks a rule: {rule}")]
    Response {
        /// The command answered.
        command: Command,
        /// The rule.
        rule: &'static str,
    },
    /// An authentication token that breaks a rule of [MS-NLMP] or [MS-SPNG].
    #[error("authentication token: {0}")]
    Token(&'static str),
}

/// What the peer answered, where that is not success.
///
/// What to do is in [`NtStatus::advice`](crate::status::NtStatus::advice).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{command:?}: {status}")]
pub struct StatusError {
    /// The command that was refused.
    pub command: Command,
    /// Its status.
    pub status: NtStatus,
}
