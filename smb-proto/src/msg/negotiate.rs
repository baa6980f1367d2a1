//! SMB2 NEGOTIATE — [MS-SMB2] 2.2.3, 2.2.4.

use crate::{
    codec::{
        Body, Message,
        message::variable_offset,
        num::{array, count, fixed, le_u16, le_u32, le_u64, len16, len32, pad8, structure_size},
    },
    command::{Command, wire_flags},
    dialect::Dialect,
    error::ParseError,
    msg::{
        context::negotiate::{self, NegotiateContext},
        types::FileTime,
    },
};
use bytes::BufMut;
use nom::Parser;

wire_flags! {
    /// SecurityMode of NEGOTIATE and SESSION_SETUP.
    SecurityMode: u16 {
        /// SMB2_NEGOTIATE_SIGNING_ENABLED.
        SIGNING_ENABLED = 0x0001,
        /// SMB2_NEGOTIATE_SIGNING_REQUIRED.
        SIGNING_REQUIRED = 0x0002,
    }
}

wire_flags! {
    /// Capabilities of a client or server.
    Capabilities: u32 {
        /// SMB2_GLOBAL_CAP_DFS.
        DFS = 0x0000_0001,
        /// SMB2_GLOBAL_CAP_LEASING.
        LEASING = 0x0000_0002,
        /// SMB2_GLOBAL_CAP_LARGE_MTU: multi-credit requests.
        LARGE_MTU = 0x0000_0004,
        /// SMB2_GLOBAL_CAP_MULTI_CHANNEL.
        MULTI_CHANNEL = 0x0000_0008,
        /// SMB2_GLOBAL_CAP_PERSISTENT_HANDLES.
        PERSISTENT_HANDLES = 0x0000_0010,
        /// SMB2_GLOBAL_CAP_DIRECTORY_LEASING.
        DIRECTORY_LEASING = 0x0000_0020,
        /// SMB2_GLOBAL_CAP_ENCRYPTION.
        ENCRYPTION = 0x0000_0040,
        /// SMB2_GLOBAL_CAP_NOTIFICATIONS.
        NOTIFICATIONS = 0x0000_0080,
    }
}

/// SMB2 NEGOTIATE Request — [MS-SMB2] 2.2.3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NegotiateRequest {
    /// Whether the client can or must sign.
    pub security_mode: SecurityMode,
    /// The client's capabilities; zero from a client of 2.x.
    pub capabilities: Capabilities,
    /// Identifies the client over its connections; zero from a client of 2.0.2.
    pub client_guid: [u8; 16],
    /// The dialects the client speaks.
    pub dialects: Vec<Dialect>,
    /// Contexts. They are on the wire only where `dialects` holds 3.1.1.
    pub contexts: Vec<NegotiateContext>,
}

const REQUEST_FIXED: usize = 36;
const RESPONSE_FIXED: usize = 64;

impl NegotiateRequest {
    fn has_contexts(&self) -> bool {
        self.speaks_3_1_1() && !self.contexts.is_empty()
    }

    /// Whether 3.1.1 is among the dialects, so that the body may have contexts.
    pub fn speaks_3_1_1(&self) -> bool {
        self.dialects.contains(&Dialect::SMB_3_1_1)
    }

    fn dialects_end(&self) -> usize {
        REQUEST_FIXED + 2 * self.dialects.len()
    }
}

impl<'a> Message<'a> for NegotiateRequest {
    const COMMAND: Command = Command::NEGOTIATE;

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "NEGOTIATE request";
        let parser = (le_u16, le_u16, le_u16, le_u16, le_u32, array::<16>, le_u32, le_u16, le_u16);
        let (rest, (size, dialects, mode, _, capabilities, client_guid, offset, contexts, _)) =
            fixed(WHAT, body.fixed(), parser)?;
        structure_size(WHAT, 36, size)?;
        let (_, dialects) = fixed(WHAT, rest, count(le_u16.map(Dialect), dialects.into()))?;
        let mut request = Self {
            security_mode: SecurityMode(mode),
            capabilities: Capabilities(capabilities),
            client_guid,
            dialects,
            contexts: Vec::new(),
        };
        if request.speaks_3_1_1() {
            request.contexts = contexts_at(body, offset, contexts)?;
        }
        Ok(request)
    }

    fn wire_len(&self) -> usize {
        let end = self.dialects_end();
        if self.has_contexts() { end + pad8(end) + negotiate::all_len(&self.contexts) } else { end }
    }

    fn emit(&self, out: &mut impl BufMut) {
        let end = self.dialects_end();
        out.put_u16_le(36);
        out.put_u16_le(len16(self.dialects.len()));
        out.put_u16_le(self.security_mode.0);
        out.put_u16_le(0);
        out.put_u32_le(self.capabilities.0);
        out.put_slice(&self.client_guid);
        if self.has_contexts() {
            out.put_u32_le(len32(variable_offset(end + pad8(end))));
            out.put_u16_le(len16(self.contexts.len()));
            out.put_u16_le(0);
        } else {
            out.put_u64_le(0);
        }
        self.dialects.iter().for_each(|dialect| out.put_u16_le(dialect.0));
        if self.has_contexts() {
            out.put_bytes(0, pad8(end));
            negotiate::emit_all(&self.contexts, out);
        }
    }
}

fn contexts_at(body: &Body<'_>, offset: u32, number: u16) -> Result<Vec<NegotiateContext>, ParseError> {
    if number == 0 {
        return Ok(Vec::new());
    }
    negotiate::parse_all(body.slice_from("NegotiateContextList", offset)?, number)
}

/// SMB2 NEGOTIATE Response — [MS-SMB2] 2.2.4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NegotiateResponse {
    /// Whether the server can or must sign.
    pub security_mode: SecurityMode,
    /// The dialect chosen.
    pub dialect: Dialect,
    /// Identifies the server.
    pub server_guid: [u8; 16],
    /// The server's capabilities.
    pub capabilities: Capabilities,
    /// The most bytes of a QUERY_INFO, QUERY_DIRECTORY, SET_INFO, IOCTL or notify buffer.
    pub max_transact_size: u32,
    /// The most bytes of one READ.
    pub max_read_size: u32,
    /// The most bytes of one WRITE.
    pub max_write_size: u32,
    /// The server's clock.
    pub system_time: FileTime,
    /// When the server started; today's servers send zero.
    pub server_start_time: FileTime,
    /// The server's first SPNEGO token.
    pub token: Vec<u8>,
    /// Contexts. They are on the wire only where `dialect` is 3.1.1.
    pub contexts: Vec<NegotiateContext>,
}

impl NegotiateResponse {
    fn has_contexts(&self) -> bool {
        self.dialect == Dialect::SMB_3_1_1 && !self.contexts.is_empty()
    }

    fn token_end(&self) -> usize {
        RESPONSE_FIXED + self.token.len()
    }
}

impl<'a> Message<'a> for NegotiateResponse {
    const COMMAND: Command = Command::NEGOTIATE;

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "NEGOTIATE response";
        let (rest, (size, mode, dialect, contexts, server_guid, capabilities)) =
            fixed(WHAT, body.fixed(), (le_u16, le_u16, le_u16, le_u16, array::<16>, le_u32))?;
        structure_size(WHAT, 65, size)?;
        let sizes = (le_u32, le_u32, le_u32, le_u64, le_u64, le_u16, le_u16, le_u32);
        let (_, (max_transact_size, max_read_size, max_write_size, now, start, offset, len, contexts_offset)) =
            fixed(WHAT, rest, sizes)?;
        let dialect = Dialect(dialect);
        let contexts = match dialect {
            Dialect::SMB_3_1_1 => contexts_at(body, contexts_offset, contexts)?,
            _ => Vec::new(),
        };
        Ok(Self {
            security_mode: SecurityMode(mode),
            dialect,
            server_guid,
            capabilities: Capabilities(capabilities),
            max_transact_size,
            max_read_size,
            max_write_size,
            system_time: FileTime(now),
            server_start_time: FileTime(start),
            token: body.slice_at("SecurityBuffer", offset, len)?.to_vec(),
            contexts,
        })
    }

    fn wire_len(&self) -> usize {
        let end = self.token_end();
        if self.has_contexts() { end + pad8(end) + negotiate::all_len(&self.contexts) } else { end }
    }

    fn emit(&self, out: &mut impl BufMut) {
        let end = self.token_end();
        let has_contexts = self.has_contexts();
        out.put_u16_le(65);
        out.put_u16_le(self.security_mode.0);
        out.put_u16_le(self.dialect.0);
        out.put_u16_le(if has_contexts { len16(self.contexts.len()) } else { 0 });
        out.put_slice(&self.server_guid);
        out.put_u32_le(self.capabilities.0);
        out.put_u32_le(self.max_transact_size);
        out.put_u32_le(self.max_read_size);
        out.put_u32_le(self.max_write_size);
        out.put_u64_le(self.system_time.0);
        out.put_u64_le(self.server_start_time.0);
        out.put_u16_le(len16(variable_offset(RESPONSE_FIXED)));
        out.put_u16_le(len16(self.token.len()));
        out.put_u32_le(if has_contexts { len32(variable_offset(end + pad8(end))) } else { 0 });
        out.put_slice(&self.token);
        if has_contexts {
            out.put_bytes(0, pad8(end));
            negotiate::emit_all(&self.contexts, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::{Part, message_tests};
    use proptest::prelude::*;

    fn contexts() -> impl Strategy<Value = Vec<NegotiateContext>> {
        prop::collection::vec(negotiate::tests::context(), 0..4)
    }

    fn request() -> impl Strategy<Value = NegotiateRequest> {
        let dialects = prop::sample::subsequence(Dialect::ALL.to_vec(), 1..=5);
        (any::<(u16, u32, [u8; 16])>(), dialects, contexts()).prop_map(
            |((mode, capabilities, client_guid), dialects, contexts)| NegotiateRequest {
                security_mode: SecurityMode(mode),
                capabilities: Capabilities(capabilities),
                client_guid,
                contexts: if dialects.contains(&Dialect::SMB_3_1_1) { contexts } else { Vec::new() },
                dialects,
            },
        )
    }

    fn response() -> impl Strategy<Value = NegotiateResponse> {
        let sizes = any::<(u32, u32, u32, u64, u64)>();
        let token = prop::collection::vec(any::<u8>(), 0..50);
        let dialect = prop::sample::select(Dialect::ALL.to_vec());
        (any::<(u16, [u8; 16], u32)>(), sizes, token, dialect, contexts()).prop_map(
            |((mode, server_guid, capabilities), sizes, token, dialect, contexts)| NegotiateResponse {
                security_mode: SecurityMode(mode),
                dialect,
                server_guid,
                capabilities: Capabilities(capabilities),
                max_transact_size: sizes.0,
                max_read_size: sizes.1,
                max_write_size: sizes.2,
                system_time: FileTime(sizes.3),
                server_start_time: FileTime(sizes.4),
                token,
                contexts: if dialect == Dialect::SMB_3_1_1 { contexts } else { Vec::new() },
            },
        )
    }

    message_tests!(negotiate_request, NegotiateRequest, request());
    message_tests!(negotiate_response, NegotiateResponse, response(), |m: &NegotiateResponse| vec![
        Part::new((56, 2), (58, 2), m.token.clone())
    ]);

    #[test]
    fn the_context_list_is_followed_where_it_was_moved() {
        let request = NegotiateRequest {
            security_mode: SecurityMode::SIGNING_ENABLED,
            capabilities: Capabilities::NONE,
            client_guid: [7; 16],
            dialects: vec![Dialect::SMB_3_1_1],
            contexts: vec![NegotiateContext::NetName("host".into())],
        };
        let mut wire = crate::codec::testing::whole(&request);
        let list = u32::from_le_bytes(wire[92..96].try_into().unwrap());
        assert_eq!(list, 64 + 36 + 2 + 2, "right behind the padded dialects");
        let tail = wire.split_off(104);
        wire.extend([0xee; 16]);
        wire.extend(tail);
        wire[92..96].copy_from_slice(&(list + 16).to_le_bytes());
        assert_eq!(crate::codec::testing::parse::<NegotiateRequest>(&wire).unwrap(), request);
    }
}
