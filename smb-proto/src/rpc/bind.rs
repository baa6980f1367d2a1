//! Which interface a connection speaks, and in which encoding — C706 12.6.4.3 to 12.6.4.5, [MS-RPCE] 2.2.2.

use crate::{
    codec::num::{array, count, fixed, le_u8, le_u16, le_u32, len16, take},
    command::wire_enum,
    error::ParseError,
};
use bytes::BufMut;
use nom::Parser;

/// An interface or an encoding with its version: p_syntax_id_t.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Syntax {
    /// The UUID as it is on the wire, its first three numbers little-endian.
    pub uuid: [u8; 16],
    /// Major version in the lower half, minor in the upper.
    pub version: u32,
}

impl Syntax {
    /// NDR 2.0, the encoding used here: 8a885d04-1ceb-11c9-9fe8-08002b104860.
    pub const NDR: Self = Self {
        uuid: [
            0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60,
        ],
        version: 2,
    };
    /// No encoding: in the result of a refused context.
    pub const NONE: Self = Self { uuid: [0; 16], version: 0 };

    fn read(i: &[u8]) -> crate::codec::num::Parsed<'_, Self> {
        (array::<16>, le_u32).map(|(uuid, version)| Self { uuid, version }).parse(i)
    }

    fn emit(&self, out: &mut impl BufMut) {
        out.put_slice(&self.uuid);
        out.put_u32_le(self.version);
    }
}

/// An interface that the client wants, and the encodings it offers: p_cont_elem_t.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentationContext {
    /// Names the context in requests.
    pub id: u16,
    /// The interface.
    pub interface: Syntax,
    /// The encodings, by preference.
    pub transfer: Vec<Syntax>,
}

/// The body of bind and alter_context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// The largest fragment the client sends.
    pub max_xmit: u16,
    /// The largest fragment the client takes.
    pub max_recv: u16,
    /// The association group to join; 0 for a new one.
    pub group: u32,
    /// What is asked for.
    pub contexts: Vec<PresentationContext>,
}

fn list_len(len: usize) -> u8 {
    u8::try_from(len).unwrap_or(u8::MAX)
}

impl Bind {
    pub(super) fn parse(body: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "bind";
        let head = (le_u16, le_u16, le_u32, le_u8, le_u8, le_u16);
        let (mut rest, (max_xmit, max_recv, group, number, _, _)) = fixed(WHAT, body, head)?;
        let mut contexts = Vec::new();
        for _ in 0..number {
            let (behind, (id, offered, _, interface)) =
                fixed(WHAT, rest, (le_u16, le_u8, le_u8, Syntax::read))?;
            let (behind, transfer) = fixed(WHAT, behind, |i| count(Syntax::read, offered.into()).parse(i))?;
            contexts.push(PresentationContext { id, interface, transfer });
            rest = behind;
        }
        Ok(Self { max_xmit, max_recv, group, contexts })
    }

    pub(super) fn emit(&self, out: &mut impl BufMut) {
        out.put_u16_le(self.max_xmit);
        out.put_u16_le(self.max_recv);
        out.put_u32_le(self.group);
        out.put_u32_le(list_len(self.contexts.len()).into());
        for context in &self.contexts {
            out.put_u16_le(context.id);
            out.put_u16_le(list_len(context.transfer.len()).into());
            context.interface.emit(out);
            context.transfer.iter().for_each(|syntax| syntax.emit(out));
        }
    }
}

/// What became of one context: p_result_t.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContextResult {
    /// 0 accepted, 1 refused by the user, 2 refused by the provider, 3 a negotiation of features.
    pub result: u16,
    /// Why it was refused.
    pub reason: u16,
    /// The encoding chosen.
    pub transfer: Syntax,
}

impl ContextResult {
    /// Accepted, in NDR.
    pub const ACCEPTED: Self = Self { result: 0, reason: 0, transfer: Syntax::NDR };
    /// Refused: there is no such interface.
    pub const NO_INTERFACE: Self = Self { result: 2, reason: 1, transfer: Syntax::NONE };
    /// Refused: none of the encodings is known.
    pub const NO_TRANSFER: Self = Self { result: 2, reason: 2, transfer: Syntax::NONE };
}

/// The body of bind_ack and alter_context_resp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindAck {
    /// The largest fragment the server sends.
    pub max_xmit: u16,
    /// The largest fragment the server takes.
    pub max_recv: u16,
    /// The association group.
    pub group: u32,
    /// Where further connections go: the pipe, with its terminator; empty in alter_context_resp.
    pub secondary_address: Vec<u8>,
    /// In the order of the contexts asked for.
    pub results: Vec<ContextResult>,
}

impl BindAck {
    pub(super) fn parse(body: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "bind_ack";
        let (rest, (max_xmit, max_recv, group, len)) = fixed(WHAT, body, (le_u16, le_u16, le_u32, le_u16))?;
        let padding = usize::from(len).wrapping_add(2).wrapping_neg() & 3;
        let (rest, (address, _, number, _, _)) =
            fixed(WHAT, rest, (take(len), take(padding), le_u8, le_u8, le_u16))?;
        let result = (le_u16, le_u16, Syntax::read).map(|(result, reason, transfer)| ContextResult {
            result,
            reason,
            transfer,
        });
        let (_, results) = fixed(WHAT, rest, count(result, number.into()))?;
        let secondary_address = address.to_vec();
        Ok(Self { max_xmit, max_recv, group, secondary_address, results })
    }

    pub(super) fn emit(&self, out: &mut impl BufMut) {
        out.put_u16_le(self.max_xmit);
        out.put_u16_le(self.max_recv);
        out.put_u32_le(self.group);
        out.put_u16_le(len16(self.secondary_address.len()));
        out.put_slice(&self.secondary_address);
        out.put_bytes(0, self.secondary_address.len().wrapping_add(2).wrapping_neg() & 3);
        out.put_u32_le(list_len(self.results.len()).into());
        for result in &self.results {
            out.put_u16_le(result.result);
            out.put_u16_le(result.reason);
            result.transfer.emit(out);
        }
    }
}

wire_enum! {
    /// Why a bind is refused: p_reject_reason_t.
    NakReason: u16 {
        /// No reason given.
        NOT_SPECIFIED = 0,
        /// For now.
        TEMPORARY_CONGESTION = 1,
        /// Too many at a time.
        LOCAL_LIMIT_EXCEEDED = 2,
        /// Another version of the protocol.
        PROTOCOL_VERSION_NOT_SUPPORTED = 4,
        /// An authentication that is not known.
        AUTHENTICATION_TYPE_NOT_RECOGNIZED = 8,
        /// An authentication token that does not verify.
        INVALID_CHECKSUM = 9,
    }
}

/// The body of bind_nak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindNak {
    /// Why.
    pub reason: NakReason,
    /// The versions of the protocol that are supported, major and minor.
    pub versions: Vec<[u8; 2]>,
}

impl BindNak {
    pub(super) fn parse(body: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "bind_nak";
        let (rest, (reason, number)) = fixed(WHAT, body, (le_u16, le_u8))?;
        let (_, versions) = fixed(WHAT, rest, count(array::<2>, number.into()))?;
        Ok(Self { reason: NakReason(reason), versions })
    }

    pub(super) fn emit(&self, out: &mut impl BufMut) {
        out.put_u16_le(self.reason.0);
        out.put_u8(list_len(self.versions.len()));
        self.versions.iter().for_each(|version| out.put_slice(version));
    }
}
