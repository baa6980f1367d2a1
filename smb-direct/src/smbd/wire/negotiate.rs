//! The two messages a connection begins with — [MS-SMBD] 2.2.1, 2.2.2.

use super::{Version, fixed};
use bytes::BufMut;
use nom::number::complete::{le_u16, le_u32};
use smb_proto::{error::ParseError, status::NtStatus};

/// Negotiate Request — [MS-SMBD] 2.2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NegotiateRequest {
    /// The lowest version the sender speaks.
    pub min_version: Version,
    /// The highest.
    pub max_version: Version,
    /// Send credits the sender would like to have.
    pub credits_requested: u16,
    /// Bytes the sender would like to put into one message.
    pub preferred_send_size: u32,
    /// Bytes the sender takes in one message.
    pub max_receive_size: u32,
    /// Bytes of the longest fragmented upper-layer message the sender takes.
    pub max_fragmented_size: u32,
}

impl NegotiateRequest {
    /// Bytes on the wire.
    pub const LEN: usize = 20;

    /// Reads one; what follows it is ignored.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let numbers = (le_u16, le_u16, le_u16, le_u16, le_u32, le_u32, le_u32);
        let (min, max, _, credits_requested, preferred_send_size, max_receive_size, max_fragmented_size) =
            fixed("SMB Direct negotiate request", bytes, numbers)?;
        Ok(Self {
            min_version: Version(min),
            max_version: Version(max),
            credits_requested,
            preferred_send_size,
            max_receive_size,
            max_fragmented_size,
        })
    }

    /// Writes the 20 bytes.
    pub fn emit(&self, out: &mut impl BufMut) {
        out.put_u16_le(self.min_version.0);
        out.put_u16_le(self.max_version.0);
        out.put_u16_le(0);
        out.put_u16_le(self.credits_requested);
        out.put_u32_le(self.preferred_send_size);
        out.put_u32_le(self.max_receive_size);
        out.put_u32_le(self.max_fragmented_size);
    }
}

/// Negotiate Response — [MS-SMBD] 2.2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NegotiateResponse {
    /// The lowest version the sender speaks.
    pub min_version: Version,
    /// The highest.
    pub max_version: Version,
    /// What came of the negotiation.
    pub outcome: NegotiateOutcome,
}

/// What came of a negotiation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NegotiateOutcome {
    /// The connection stands.
    Accepted(Negotiated),
    /// It does not; everything else in the message is zero ([MS-SMBD] 3.1.5.3).
    Refused(NtStatus),
}

/// What the responder of an accepted negotiation says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Negotiated {
    /// The version chosen.
    pub version: Version,
    /// Send credits the sender would like to have.
    pub credits_requested: u16,
    /// Send credits the receiver has from now on.
    pub credits_granted: u16,
    /// Bytes of the largest RDMA READ or WRITE the sender serves.
    pub max_read_write_size: u32,
    /// Bytes the sender would like to put into one message.
    pub preferred_send_size: u32,
    /// Bytes the sender takes in one message.
    pub max_receive_size: u32,
    /// Bytes of the longest fragmented upper-layer message the sender takes.
    pub max_fragmented_size: u32,
}

impl NegotiateResponse {
    /// Bytes on the wire.
    pub const LEN: usize = 32;

    /// Reads one; what follows it is ignored, and so are the fields of a refusal but its status.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let heads = (le_u16, le_u16, le_u16, le_u16, le_u16, le_u16);
        let sizes = (le_u32, le_u32, le_u32, le_u32, le_u32);
        let (head, tail) = fixed("SMB Direct negotiate response", bytes, (heads, sizes))?;
        let (min, max, version, _, credits_requested, credits_granted) = head;
        let (status, max_read_write_size, preferred_send_size, max_receive_size, max_fragmented_size) = tail;
        let outcome = match NtStatus(status) {
            NtStatus::SUCCESS => NegotiateOutcome::Accepted(Negotiated {
                version: Version(version),
                credits_requested,
                credits_granted,
                max_read_write_size,
                preferred_send_size,
                max_receive_size,
                max_fragmented_size,
            }),
            refused => NegotiateOutcome::Refused(refused),
        };
        Ok(Self { min_version: Version(min), max_version: Version(max), outcome })
    }

    /// Writes the 32 bytes.
    pub fn emit(&self, out: &mut impl BufMut) {
        let nothing = Negotiated {
            version: Version(0),
            credits_requested: 0,
            credits_granted: 0,
            max_read_write_size: 0,
            preferred_send_size: 0,
            max_receive_size: 0,
            max_fragmented_size: 0,
        };
        let (status, body) = match self.outcome {
            NegotiateOutcome::Accepted(body) => (NtStatus::SUCCESS, body),
            NegotiateOutcome::Refused(status) => (status, nothing),
        };
        out.put_u16_le(self.min_version.0);
        out.put_u16_le(self.max_version.0);
        out.put_u16_le(body.version.0);
        out.put_u16_le(0);
        out.put_u16_le(body.credits_requested);
        out.put_u16_le(body.credits_granted);
        out.put_u32_le(status.0);
        out.put_u32_le(body.max_read_write_size);
        out.put_u32_le(body.preferred_send_size);
        out.put_u32_le(body.max_receive_size);
        out.put_u32_le(body.max_fragmented_size);
    }
}
