//! Fragments of the connection-oriented protocol — C706 12.6, [MS-RPCE] 2.2.2.

use super::bind::{Bind, BindAck, BindNak};
use crate::{
    codec::num::{array, fixed, le_u8, le_u16, le_u32, len16},
    command::{wire_enum, wire_flags},
    error::ParseError,
};
use bytes::BufMut;

const WHAT: &str = "RPC fragment";
/// The common header.
pub(super) const HEADER: usize = 16;
/// Header and fixed part of a request or response.
pub(super) const CALL_HEADER: usize = 24;
/// Little-endian numbers, ASCII, IEEE floats.
const LITTLE_ENDIAN: [u8; 4] = [0x10, 0, 0, 0];
/// The fixed part of an authentication verifier, which auth_length does not count — [MS-RPCE] 2.2.2.11.
const SEC_TRAILER: usize = 8;

wire_enum! {
    /// PTYPE — C706 12.6.3.1.
    PduType: u8 {
        /// A call.
        REQUEST = 0,
        /// Its result.
        RESPONSE = 2,
        /// Or why there is none.
        FAULT = 3,
        /// Opens the association.
        BIND = 11,
        /// Accepts it.
        BIND_ACK = 12,
        /// Refuses it.
        BIND_NAK = 13,
        /// Asks for further contexts.
        ALTER_CONTEXT = 14,
        /// Answers that.
        ALTER_CONTEXT_RESP = 15,
        /// The third leg of an authentication.
        AUTH3 = 16,
        /// The server goes.
        SHUTDOWN = 17,
        /// Cancels a call.
        CO_CANCEL = 18,
        /// The client no longer cares for a call.
        ORPHANED = 19,
    }
}

wire_flags! {
    /// pfc_flags — C706 12.6.3.1.
    PduFlags: u8 {
        /// The first fragment of the message.
        FIRST = 0x01,
        /// The last one.
        LAST = 0x02,
        /// A cancel was pending.
        PENDING_CANCEL = 0x04,
        /// Several calls at a time on one connection.
        CONC_MPX = 0x10,
        /// The call was not executed.
        DID_NOT_EXECUTE = 0x20,
        /// "Maybe" semantics: no answer is wanted.
        MAYBE = 0x40,
        /// A request with an object.
        OBJECT_UUID = 0x80,
    }
}

impl PduFlags {
    /// A message of one fragment.
    pub const WHOLE: Self = Self(0x03);
}

wire_enum! {
    /// Why a call failed — C706 appendix E, [MS-ERREF] 2.2.
    FaultStatus: u32 {
        /// The procedure number is not known.
        OP_RANGE = 0x1c01_0002,
        /// The interface, or the context, is not known.
        UNKNOWN_INTERFACE = 0x1c01_0003,
        /// A fragment that has no place here.
        PROTOCOL_ERROR = 0x1c01_000b,
        /// Arguments that cannot be read.
        BAD_STUB_DATA = 0x0000_06f7,
        /// Not allowed.
        ACCESS_DENIED = 0x0000_0005,
    }
}

/// A fragment of a call: its arguments — C706 12.6.4.9.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Bytes of the arguments from here on; a hint.
    pub alloc_hint: u32,
    /// The presentation context.
    pub context_id: u16,
    /// The procedure.
    pub opnum: u16,
    /// The object, for interfaces that have some.
    pub object: Option<[u8; 16]>,
    /// The arguments.
    pub stub: Vec<u8>,
}

/// A fragment of a result — C706 12.6.4.10.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Bytes of the results from here on; a hint.
    pub alloc_hint: u32,
    /// The presentation context.
    pub context_id: u16,
    /// How many cancels were received.
    pub cancel_count: u8,
    /// The results.
    pub stub: Vec<u8>,
}

/// A call that failed — C706 12.6.4.7.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// A hint.
    pub alloc_hint: u32,
    /// The presentation context.
    pub context_id: u16,
    /// How many cancels were received.
    pub cancel_count: u8,
    /// Why.
    pub status: FaultStatus,
    /// What else is told.
    pub stub: Vec<u8>,
}

/// What stands behind the common header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PduBody {
    /// A call.
    Request(Request),
    /// Its result.
    Response(Response),
    /// Or why there is none.
    Fault(Fault),
    /// Opens the association.
    Bind(Bind),
    /// Accepts it.
    BindAck(BindAck),
    /// Refuses it.
    BindNak(BindNak),
    /// Asks for further contexts.
    AlterContext(Bind),
    /// Answers that.
    AlterContextResp(BindAck),
    /// Any other, as it came.
    Other {
        /// Its type: none of those above.
        pdu_type: PduType,
        /// All behind the common header.
        body: Vec<u8>,
    },
}

/// One fragment — C706 12.6.3.1. Only little-endian ones are read. It is at most 65,535 bytes long, and no longer than
/// what bind agreed on: who writes one cuts the arguments or results of a call to fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pdu {
    /// First and last, and others. Whether a request has an object is not among them: it is written as is so.
    pub flags: PduFlags,
    /// Pairs a call and its answer.
    pub call_id: u32,
    /// What it is.
    pub body: PduBody,
    /// The authentication verifier: sec_trailer and token; empty without one.
    pub auth: Vec<u8>,
}

impl Pdu {
    /// A message of one fragment without authentication.
    pub const fn whole(call_id: u32, body: PduBody) -> Self {
        Self { flags: PduFlags::WHOLE, call_id, body, auth: Vec::new() }
    }

    /// The length of the fragment that `bytes` begins with; `None` where there is too little of it to tell.
    pub fn fragment_len(bytes: &[u8]) -> Option<usize> {
        bytes.get(8..10)?.first_chunk().map(|len| u16::from_le_bytes(*len).into())
    }

    /// Reads the fragment that `bytes` begins with.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let head = (le_u8, le_u8, le_u8, le_u8, array::<4>, le_u16, le_u16, le_u32);
        let (_, (version, minor, pdu_type, flags, representation, len, auth_len, call_id)) =
            fixed(WHAT, bytes, head)?;
        if version != 5 || minor > 1 {
            return Err(ParseError::Value { what: "RPC version", value: version.into() });
        }
        if representation != LITTLE_ENDIAN {
            let value = u32::from_le_bytes(representation).into();
            return Err(ParseError::Value { what: "RPC data representation", value });
        }
        let fragment = bytes.get(..len.into()).ok_or(ParseError::Truncated { what: WHAT })?;
        let auth_len = if auth_len == 0 { 0 } else { usize::from(auth_len) + SEC_TRAILER };
        let wrong = ParseError::Value { what: "RPC fragment length", value: len.into() };
        let body = fragment.get(HEADER..).ok_or(wrong)?;
        let split = body.len().checked_sub(auth_len).and_then(|at| body.split_at_checked(at));
        let (body, auth) = split.ok_or(wrong)?;
        let flags = PduFlags(flags);
        let body = PduBody::parse(PduType(pdu_type), flags, body)?;
        let flags = match body {
            PduBody::Request(_) => flags.without(PduFlags::OBJECT_UUID),
            _ => flags,
        };
        Ok(Self { flags, call_id, body, auth: auth.to_vec() })
    }

    /// Writes the fragment.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut body = Vec::new();
        self.body.emit(&mut body);
        let object = match &self.body {
            PduBody::Request(Request { object: Some(_), .. }) => PduFlags::OBJECT_UUID,
            _ => PduFlags::NONE,
        };
        let mut out = Vec::with_capacity(HEADER + body.len() + self.auth.len());
        out.put_slice(&[5, 0, self.body.pdu_type().0, (self.flags | object).0]);
        out.put_slice(&LITTLE_ENDIAN);
        out.put_u16_le(len16(HEADER + body.len() + self.auth.len()));
        out.put_u16_le(len16(self.auth.len().saturating_sub(SEC_TRAILER)));
        out.put_u32_le(self.call_id);
        out.put_slice(&body);
        out.put_slice(&self.auth);
        out
    }
}

impl PduBody {
    /// PTYPE, as it is on the wire.
    pub const fn pdu_type(&self) -> PduType {
        match self {
            Self::Request(_) => PduType::REQUEST,
            Self::Response(_) => PduType::RESPONSE,
            Self::Fault(_) => PduType::FAULT,
            Self::Bind(_) => PduType::BIND,
            Self::BindAck(_) => PduType::BIND_ACK,
            Self::BindNak(_) => PduType::BIND_NAK,
            Self::AlterContext(_) => PduType::ALTER_CONTEXT,
            Self::AlterContextResp(_) => PduType::ALTER_CONTEXT_RESP,
            Self::Other { pdu_type, .. } => *pdu_type,
        }
    }

    fn parse(pdu_type: PduType, flags: PduFlags, body: &[u8]) -> Result<Self, ParseError> {
        Ok(match pdu_type {
            PduType::REQUEST => Self::Request(request(flags, body)?),
            PduType::RESPONSE => Self::Response(response(body)?),
            PduType::FAULT => Self::Fault(fault(body)?),
            PduType::BIND => Self::Bind(Bind::parse(body)?),
            PduType::BIND_ACK => Self::BindAck(BindAck::parse(body)?),
            PduType::BIND_NAK => Self::BindNak(BindNak::parse(body)?),
            PduType::ALTER_CONTEXT => Self::AlterContext(Bind::parse(body)?),
            PduType::ALTER_CONTEXT_RESP => Self::AlterContextResp(BindAck::parse(body)?),
            pdu_type => Self::Other { pdu_type, body: body.to_vec() },
        })
    }

    fn emit(&self, out: &mut impl BufMut) {
        match self {
            Self::Request(request) => {
                out.put_u32_le(request.alloc_hint);
                out.put_u16_le(request.context_id);
                out.put_u16_le(request.opnum);
                out.put_slice(request.object.as_ref().map_or(&[], |object| object.as_slice()));
                out.put_slice(&request.stub);
            }
            Self::Response(response) => {
                out.put_u32_le(response.alloc_hint);
                out.put_u16_le(response.context_id);
                out.put_slice(&[response.cancel_count, 0]);
                out.put_slice(&response.stub);
            }
            Self::Fault(fault) => {
                out.put_u32_le(fault.alloc_hint);
                out.put_u16_le(fault.context_id);
                out.put_slice(&[fault.cancel_count, 0]);
                out.put_u32_le(fault.status.0);
                out.put_u32_le(0);
                out.put_slice(&fault.stub);
            }
            Self::Bind(bind) | Self::AlterContext(bind) => bind.emit(out),
            Self::BindAck(ack) | Self::AlterContextResp(ack) => ack.emit(out),
            Self::BindNak(nak) => nak.emit(out),
            Self::Other { body, .. } => out.put_slice(body),
        }
    }
}

fn request(flags: PduFlags, body: &[u8]) -> Result<Request, ParseError> {
    let (rest, (alloc_hint, context_id, opnum)) = fixed("RPC request", body, (le_u32, le_u16, le_u16))?;
    let (stub, object) = match flags.contains(PduFlags::OBJECT_UUID) {
        true => fixed("RPC request", rest, array::<16>).map(|(stub, object)| (stub, Some(object)))?,
        false => (rest, None),
    };
    Ok(Request { alloc_hint, context_id, opnum, object, stub: stub.to_vec() })
}

fn response(body: &[u8]) -> Result<Response, ParseError> {
    let (stub, (alloc_hint, context_id, cancel_count, _)) =
        fixed("RPC response", body, (le_u32, le_u16, le_u8, le_u8))?;
    Ok(Response { alloc_hint, context_id, cancel_count, stub: stub.to_vec() })
}

fn fault(body: &[u8]) -> Result<Fault, ParseError> {
    let (stub, (alloc_hint, context_id, cancel_count, _, status, _)) =
        fixed("RPC fault", body, (le_u32, le_u16, le_u8, le_u8, le_u32, le_u32))?;
    Ok(Fault { alloc_hint, context_id, cancel_count, status: FaultStatus(status), stub: stub.to_vec() })
}

#[cfg(test)]
mod tests;
