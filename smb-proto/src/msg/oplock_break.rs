//! SMB2 OPLOCK_BREAK — [MS-SMB2] 2.2.23, 2.2.24, 2.2.25: notifications, their acknowledgements, and the answers to those.
//!
//! ```text
//!   server                                    client
//!     notification (MessageId all ones) ────▶
//!                 ◀──── acknowledgement, a request
//!     response ────▶
//! ```

use crate::{
    codec::{
        Body, Message,
        num::{array, fixed, le_u8, le_u16, le_u32, le_u64},
    },
    command::{Command, wire_flags},
    error::ParseError,
    msg::{create::OplockLevel, types::FileId},
};
use bytes::BufMut;

wire_flags! {
    /// LeaseState: what a lease lets the client cache.
    LeaseState: u32 {
        /// SMB2_LEASE_READ_CACHING.
        READ_CACHING = 0x01,
        /// SMB2_LEASE_HANDLE_CACHING: opens may stay open after the application closed them.
        HANDLE_CACHING = 0x02,
        /// SMB2_LEASE_WRITE_CACHING.
        WRITE_CACHING = 0x04,
    }
}

/// The break of an oplock, or its acknowledgement, or the answer to that — [MS-SMB2] 2.2.23.1, 2.2.24.1, 2.2.25.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OplockBreak {
    /// The level that is left.
    pub oplock_level: OplockLevel,
    /// The open.
    pub file_id: FileId,
}

/// The break of a lease — [MS-SMB2] 2.2.23.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseBreakNotification {
    /// The lease's epoch after this change; 0 for a lease of the first version.
    pub new_epoch: u16,
    /// SMB2_NOTIFY_BREAK_LEASE_FLAG_ACK_REQUIRED: the server waits for the acknowledgement.
    pub ack_required: bool,
    /// The lease.
    pub lease_key: [u8; 16],
    /// Its state before.
    pub current_state: LeaseState,
    /// Its state after.
    pub new_state: LeaseState,
}

/// The acknowledgement of a lease break, or the answer to it — [MS-SMB2] 2.2.24.2, 2.2.25.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseBreakAck {
    /// The lease.
    pub lease_key: [u8; 16],
    /// The state the client keeps.
    pub state: LeaseState,
}

/// SMB2 OPLOCK_BREAK Acknowledgement — [MS-SMB2] 2.2.24. Its StructureSize tells which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OplockBreakRequest {
    /// Of an oplock.
    Oplock(OplockBreak),
    /// Of a lease.
    Lease(LeaseBreakAck),
}

/// SMB2 OPLOCK_BREAK Notification or Response — [MS-SMB2] 2.2.23, 2.2.25. Its StructureSize tells which, but for
/// oplocks, whose notification has the MessageId [`UNSOLICITED`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OplockBreakResponse {
    /// Of an oplock: a notification or an answer.
    Oplock(OplockBreak),
    /// Of a lease: a notification.
    LeaseNotification(LeaseBreakNotification),
    /// Of a lease: an answer.
    Lease(LeaseBreakAck),
}

/// The MessageId of messages that answer no request.
pub const UNSOLICITED: u64 = u64::MAX;

const OPLOCK: u16 = 24;
const LEASE_ACK: u16 = 36;
const LEASE_NOTIFICATION: u16 = 44;
const ACK_REQUIRED: u32 = 1;

impl OplockBreak {
    fn parse(what: &'static str, fixed_part: &[u8]) -> Result<Self, ParseError> {
        let (_, (_, level, _, _, file_id)) =
            fixed(what, fixed_part, (le_u16, le_u8, le_u8, le_u32, FileId::parse))?;
        Ok(Self { oplock_level: OplockLevel(level), file_id })
    }

    fn emit(self, out: &mut impl BufMut) {
        out.put_u16_le(OPLOCK);
        out.put_u8(self.oplock_level.0);
        out.put_bytes(0, 5);
        self.file_id.emit(out);
    }
}

impl LeaseBreakAck {
    fn parse(what: &'static str, fixed_part: &[u8]) -> Result<Self, ParseError> {
        let (_, (_, _, _flags, lease_key, state, _duration)) =
            fixed(what, fixed_part, (le_u16, le_u16, le_u32, array::<16>, le_u32, le_u64))?;
        Ok(Self { lease_key, state: LeaseState(state) })
    }

    fn emit(self, out: &mut impl BufMut) {
        out.put_u16_le(LEASE_ACK);
        out.put_bytes(0, 6);
        out.put_slice(&self.lease_key);
        out.put_u32_le(self.state.0);
        out.put_u64_le(0);
    }
}

impl LeaseBreakNotification {
    fn parse(what: &'static str, fixed_part: &[u8]) -> Result<Self, ParseError> {
        let (rest, (_, new_epoch, flags, lease_key)) =
            fixed(what, fixed_part, (le_u16, le_u16, le_u32, array::<16>))?;
        let (_, (current, new, _, _, _)) = fixed(what, rest, (le_u32, le_u32, le_u32, le_u32, le_u32))?;
        Ok(Self {
            new_epoch,
            ack_required: flags & ACK_REQUIRED != 0,
            lease_key,
            current_state: LeaseState(current),
            new_state: LeaseState(new),
        })
    }

    fn emit(self, out: &mut impl BufMut) {
        out.put_u16_le(LEASE_NOTIFICATION);
        out.put_u16_le(self.new_epoch);
        out.put_u32_le(if self.ack_required { ACK_REQUIRED } else { 0 });
        out.put_slice(&self.lease_key);
        out.put_u32_le(self.current_state.0);
        out.put_u32_le(self.new_state.0);
        out.put_bytes(0, 12);
    }
}

fn structure(what: &'static str, fixed_part: &[u8]) -> Result<u16, ParseError> {
    fixed(what, fixed_part, le_u16).map(|(_, size)| size)
}

fn unknown(what: &'static str, found: u16) -> ParseError {
    ParseError::StructureSize { what, expected: OPLOCK.into(), found: found.into() }
}

impl<'a> Message<'a> for OplockBreakRequest {
    const COMMAND: Command = Command::OPLOCK_BREAK;

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "OPLOCK_BREAK acknowledgement";
        match structure(WHAT, body.fixed())? {
            OPLOCK => OplockBreak::parse(WHAT, body.fixed()).map(Self::Oplock),
            LEASE_ACK => LeaseBreakAck::parse(WHAT, body.fixed()).map(Self::Lease),
            other => Err(unknown(WHAT, other)),
        }
    }

    fn wire_len(&self) -> usize {
        match self {
            Self::Oplock(_) => OPLOCK.into(),
            Self::Lease(_) => LEASE_ACK.into(),
        }
    }

    fn emit(&self, out: &mut impl BufMut) {
        match self {
            Self::Oplock(ack) => ack.emit(out),
            Self::Lease(ack) => ack.emit(out),
        }
    }
}

impl<'a> Message<'a> for OplockBreakResponse {
    const COMMAND: Command = Command::OPLOCK_BREAK;

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "OPLOCK_BREAK response";
        match structure(WHAT, body.fixed())? {
            OPLOCK => OplockBreak::parse(WHAT, body.fixed()).map(Self::Oplock),
            LEASE_ACK => LeaseBreakAck::parse(WHAT, body.fixed()).map(Self::Lease),
            LEASE_NOTIFICATION => {
                LeaseBreakNotification::parse(WHAT, body.fixed()).map(Self::LeaseNotification)
            }
            other => Err(unknown(WHAT, other)),
        }
    }

    fn wire_len(&self) -> usize {
        match self {
            Self::Oplock(_) => OPLOCK.into(),
            Self::Lease(_) => LEASE_ACK.into(),
            Self::LeaseNotification(_) => LEASE_NOTIFICATION.into(),
        }
    }

    fn emit(&self, out: &mut impl BufMut) {
        match self {
            Self::Oplock(response) => response.emit(out),
            Self::Lease(response) => response.emit(out),
            Self::LeaseNotification(notification) => notification.emit(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::message_tests;
    use proptest::prelude::*;

    fn oplock() -> impl Strategy<Value = OplockBreak> {
        any::<(u8, u64, u64)>().prop_map(|(level, persistent, volatile)| OplockBreak {
            oplock_level: OplockLevel(level),
            file_id: FileId { persistent, volatile },
        })
    }

    fn ack() -> impl Strategy<Value = LeaseBreakAck> {
        any::<([u8; 16], u32)>()
            .prop_map(|(lease_key, state)| LeaseBreakAck { lease_key, state: LeaseState(state) })
    }

    fn notification() -> impl Strategy<Value = LeaseBreakNotification> {
        any::<(u16, bool, [u8; 16], u32, u32)>().prop_map(
            |(new_epoch, ack_required, lease_key, current, new)| LeaseBreakNotification {
                new_epoch,
                ack_required,
                lease_key,
                current_state: LeaseState(current),
                new_state: LeaseState(new),
            },
        )
    }

    message_tests!(
        oplock_break_request,
        OplockBreakRequest,
        prop_oneof![oplock().prop_map(OplockBreakRequest::Oplock), ack().prop_map(OplockBreakRequest::Lease)]
    );
    message_tests!(
        oplock_break_response,
        OplockBreakResponse,
        prop_oneof![
            oplock().prop_map(OplockBreakResponse::Oplock),
            ack().prop_map(OplockBreakResponse::Lease),
            notification().prop_map(OplockBreakResponse::LeaseNotification),
        ]
    );
}
