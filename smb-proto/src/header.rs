//! SMB2 packet header — [MS-SMB2] 2.2.1.

use crate::{
    codec::num::{array, fixed, le_u16, le_u32, le_u64, structure_size},
    command::{Command, wire_flags},
    error::ParseError,
    status::NtStatus,
};
use bytes::BufMut;

/// Bytes of an SMB2 header.
pub const HEADER_LEN: usize = 64;
/// ProtocolId of a plain SMB2 message: 0xFE 'S' 'M' 'B'.
pub const PROTOCOL_ID: [u8; 4] = *b"\xfeSMB";
/// Where the Signature field lies in the header.
pub const SIGNATURE_RANGE: std::ops::Range<usize> = 48..64;
const STRUCTURE_SIZE: u16 = 64;
const WHAT: &str = "SMB2 header";

wire_flags! {
    /// Flags of the SMB2 header but the two that say what kind of header it is
    /// (SMB2_FLAGS_SERVER_TO_REDIR and SMB2_FLAGS_ASYNC_COMMAND), which [`Role`] and [`Route`] carry.
    HeaderFlags: u32 {
        /// SMB2_FLAGS_RELATED_OPERATIONS: continues the compound before it.
        RELATED_OPERATIONS = 0x0000_0004,
        /// SMB2_FLAGS_SIGNED.
        SIGNED = 0x0000_0008,
        /// SMB2_FLAGS_PRIORITY_MASK: three bits of priority, 3.1.1 only.
        PRIORITY_MASK = 0x0000_0070,
        /// SMB2_FLAGS_DFS_OPERATIONS.
        DFS_OPERATIONS = 0x1000_0000,
        /// SMB2_FLAGS_REPLAY_OPERATION: may have been sent before, on another channel.
        REPLAY_OPERATION = 0x2000_0000,
    }
}

const SERVER_TO_REDIR: u32 = 0x0000_0001;
const ASYNC_COMMAND: u32 = 0x0000_0002;

/// Which way a message goes, and what the Status/ChannelSequence field is therefore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// From the client. Dialects before 3.0 send zero.
    Request {
        /// ChannelSequence: the count of channel losses the sender has seen on this open.
        channel_sequence: u16,
    },
    /// From the server.
    Response {
        /// The outcome.
        status: NtStatus,
    },
}

/// How an answer finds its request, and what the TreeId/AsyncId field is therefore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// SMB2 header — SYNC, [MS-SMB2] 2.2.1.2.
    Sync {
        /// The sender's process, a field that is reserved today; peers send 0 or 0xFEFF and expect it back.
        process_id: u32,
        /// The share connection the message belongs to; 0 where it has none.
        tree_id: u32,
    },
    /// SMB2 header — ASYNC, [MS-SMB2] 2.2.1.1.
    Async {
        /// The server's name for a request it answers later.
        async_id: u64,
    },
}

impl Route {
    /// A synchronous message of the share connection `tree_id`.
    pub const fn tree(tree_id: u32) -> Self {
        Self::Sync { process_id: 0, tree_id }
    }
}

/// The header of one message. NextCommand is not here: [`compound`](crate::compound) computes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Credits this request costs; 0 from dialect 2.0.2.
    pub credit_charge: u16,
    /// Request or response.
    pub role: Role,
    /// The command.
    pub command: Command,
    /// Credits asked for (request) or granted (response).
    pub credits: u16,
    /// The remaining flags.
    pub flags: HeaderFlags,
    /// Identifies the request, and so its answer.
    pub message_id: u64,
    /// Sync or async.
    pub route: Route,
    /// The session, 0 before there is one.
    pub session_id: u64,
    /// The signature, all zero when unsigned.
    pub signature: [u8; 16],
}

impl Header {
    /// A request's header with nothing set but what every request has.
    pub fn request(command: Command, message_id: u64) -> Self {
        Self {
            credit_charge: 0,
            role: Role::Request { channel_sequence: 0 },
            command,
            credits: 0,
            flags: HeaderFlags::NONE,
            message_id,
            route: Route::tree(0),
            session_id: 0,
            signature: [0; 16],
        }
    }

    /// The header of the answer to `self`, with the same ids; neither signed nor granting credits yet. It is a
    /// synchronous one, whatever the request claims: only who answers later gives out an AsyncId.
    pub fn response(&self, status: NtStatus) -> Self {
        let route = match self.route {
            Route::Async { .. } => Route::tree(0),
            sync @ Route::Sync { .. } => sync,
        };
        Self {
            role: Role::Response { status },
            credits: 0,
            flags: self.flags.without(HeaderFlags::SIGNED),
            route,
            signature: [0; 16],
            ..*self
        }
    }

    /// The status of a response, `None` for a request.
    pub fn status(&self) -> Option<NtStatus> {
        match self.role {
            Role::Response { status } => Some(status),
            Role::Request { .. } => None,
        }
    }

    /// The share connection, 0 in an async header.
    pub fn tree_id(&self) -> u32 {
        match self.route {
            Route::Sync { tree_id, .. } => tree_id,
            Route::Async { .. } => 0,
        }
    }

    /// Reads the header at the start of `input`. Returns it with NextCommand, 0 in the last message of a frame.
    pub fn parse(input: &[u8]) -> Result<(Self, u32), ParseError> {
        let (_, (header, next)) = fixed(WHAT, input, parse_fields)?;
        let (protocol_id, structure, fields) = header;
        if protocol_id != PROTOCOL_ID {
            let (expected, found) = (u32::from_le_bytes(PROTOCOL_ID), u32::from_le_bytes(protocol_id));
            return Err(ParseError::StructureSize { what: "ProtocolId", expected, found });
        }
        structure_size(WHAT, STRUCTURE_SIZE, structure)?;
        Ok((fields, next))
    }

    /// Writes the header's 64 bytes, with the given NextCommand.
    pub fn emit(&self, next_command: u32, out: &mut impl BufMut) {
        out.put_slice(&PROTOCOL_ID);
        out.put_u16_le(STRUCTURE_SIZE);
        out.put_u16_le(self.credit_charge);
        let mut flags = self.flags.0;
        match self.role {
            Role::Request { channel_sequence } => out.put_u32_le(channel_sequence.into()),
            Role::Response { status } => {
                flags |= SERVER_TO_REDIR;
                out.put_u32_le(status.0);
            }
        }
        if matches!(self.route, Route::Async { .. }) {
            flags |= ASYNC_COMMAND;
        }
        out.put_u16_le(self.command.0);
        out.put_u16_le(self.credits);
        out.put_u32_le(flags);
        out.put_u32_le(next_command);
        out.put_u64_le(self.message_id);
        match self.route {
            Route::Async { async_id } => out.put_u64_le(async_id),
            Route::Sync { process_id, tree_id } => {
                out.put_u32_le(process_id);
                out.put_u32_le(tree_id);
            }
        }
        out.put_u64_le(self.session_id);
        out.put_slice(&self.signature);
    }
}

type Fields = (([u8; 4], u16, Header), u32);

fn parse_fields(i: &[u8]) -> crate::codec::num::Parsed<'_, Fields> {
    let (i, protocol_id) = array::<4>(i)?;
    let (i, structure) = le_u16(i)?;
    let (i, credit_charge) = le_u16(i)?;
    let (i, status) = le_u32(i)?;
    let (i, command) = le_u16(i)?;
    let (i, credits) = le_u16(i)?;
    let (i, flags) = le_u32(i)?;
    let (i, next) = le_u32(i)?;
    let (i, message_id) = le_u64(i)?;
    let (i, route) = le_u64(i)?;
    let (i, session_id) = le_u64(i)?;
    let (i, signature) = array::<16>(i)?;
    let role = if flags & SERVER_TO_REDIR != 0 {
        Role::Response { status: NtStatus(status) }
    } else {
        let [low, high, ..] = status.to_le_bytes();
        Role::Request { channel_sequence: u16::from_le_bytes([low, high]) }
    };
    let route = if flags & ASYNC_COMMAND != 0 {
        Route::Async { async_id: route }
    } else {
        let [a, b, c, d, tree @ ..] = route.to_le_bytes();
        Route::Sync { process_id: u32::from_le_bytes([a, b, c, d]), tree_id: u32::from_le_bytes(tree) }
    };
    let header = Header {
        credit_charge,
        role,
        command: Command(command),
        credits,
        flags: HeaderFlags(flags & !(SERVER_TO_REDIR | ASYNC_COMMAND)),
        message_id,
        route,
        session_id,
        signature,
    };
    Ok((i, ((protocol_id, structure, header), next)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> impl Strategy<Value = Header> {
        let role = prop_oneof![
            any::<u16>().prop_map(|channel_sequence| Role::Request { channel_sequence }),
            any::<u32>().prop_map(|status| Role::Response { status: NtStatus(status) }),
        ];
        let route = prop_oneof![
            any::<(u32, u32)>().prop_map(|(process_id, tree_id)| Route::Sync { process_id, tree_id }),
            any::<u64>().prop_map(|async_id| Route::Async { async_id }),
        ];
        let ids = (any::<u64>(), any::<u64>(), any::<[u8; 16]>());
        (any::<(u16, u16, u16, u32)>(), role, route, ids).prop_map(
            |((credit_charge, command, credits, flags), role, route, (message_id, session_id, signature))| {
                Header {
                    credit_charge,
                    role,
                    command: Command(command),
                    credits,
                    flags: HeaderFlags(flags & !3),
                    message_id,
                    route,
                    session_id,
                    signature,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn round_trip(header in header(), next in any::<u32>()) {
            let mut wire = Vec::new();
            header.emit(next, &mut wire);
            prop_assert_eq!(wire.len(), HEADER_LEN);
            prop_assert_eq!(Header::parse(&wire).unwrap(), (header, next));
            for cut in 0..HEADER_LEN {
                prop_assert!(Header::parse(&wire[..cut]).is_err());
            }
        }
    }

    #[test]
    fn an_answer_is_synchronous_whatever_the_request_claims() {
        let mut request = Header::request(Command::READ, 7);
        request.route = Route::Sync { process_id: 1, tree_id: 2 };
        assert_eq!(request.response(NtStatus::SUCCESS).route, request.route);
        request.route = Route::Async { async_id: 3 };
        assert_eq!(request.response(NtStatus::SUCCESS).route, Route::tree(0));
    }

    #[test]
    fn fields_lie_where_the_specification_puts_them() {
        let mut header = Header::request(Command::WRITE, 0x0102_0304_0506_0708);
        header.credit_charge = 3;
        header.credits = 9;
        header.route = Route::tree(0xaabb_ccdd);
        header.session_id = 0x1122_3344_5566_7788;
        let mut wire = Vec::new();
        header.emit(0x70, &mut wire);
        assert_eq!(wire[..8], [0xfe, b'S', b'M', b'B', 64, 0, 3, 0]);
        assert_eq!(wire[12..16], [9, 0, 9, 0]);
        assert_eq!(wire[20..24], [0x70, 0, 0, 0]);
        assert_eq!(wire[24..32], [8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(wire[36..40], [0xdd, 0xcc, 0xbb, 0xaa]);
        assert_eq!(wire[40..48], [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11]);
    }
}
