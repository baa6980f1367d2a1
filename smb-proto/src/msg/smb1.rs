//! The SMB1 NEGOTIATE that clients open with who speak both — [MS-CIFS] 2.2.4.52.1, [MS-SMB2] 1.7, 3.3.5.3.
//!
//! It is the only SMB1 message there is a use for. A server that finds one of the two SMB2 dialect strings in it answers
//! with an SMB2 NEGOTIATE response, as if MessageId 0 had been an SMB2 NEGOTIATE.

use crate::{
    codec::num::{array, fixed, le_u8, le_u16, len16, take},
    error::ParseError,
};
use bytes::BufMut;
use nom::Parser;

/// ProtocolId of an SMB1 message: 0xFF 'S' 'M' 'B'.
const PROTOCOL_ID: [u8; 4] = *b"\xffSMB";
const SMB_COM_NEGOTIATE: u8 = 0x72;
/// SMB_FLAGS_CANONICALIZED_PATHS, SMB_FLAGS_CASE_INSENSITIVE.
const FLAGS: u8 = 0x18;
/// Unicode, 32-bit status, extended security, long names: what any client of the last decades says.
const FLAGS2: u16 = 0xc843;
/// BufferFormat of a dialect string.
const DIALECT: u8 = 0x02;
/// Clients offer a dozen at most.
const MAX_DIALECTS: usize = 64;
const WHAT: &str = "SMB1 NEGOTIATE";

/// Offers dialect 2.0.2 alone.
pub const DIALECT_2_0_2: &str = "SMB 2.002";
/// Offers 2.1 and later: the answer has [`Dialect::WILDCARD`](crate::dialect::Dialect::WILDCARD), and the client goes on
/// with an SMB2 NEGOTIATE.
pub const DIALECT_WILDCARD: &str = "SMB 2.???";

/// SMB_COM_NEGOTIATE Request — [MS-CIFS] 2.2.4.52.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smb1NegotiateRequest {
    /// The dialects the client speaks, by name.
    pub dialects: Vec<String>,
}

impl Smb1NegotiateRequest {
    /// What an SMB2 client sends to a server it knows nothing of.
    pub fn multi_protocol() -> Self {
        Self { dialects: vec![DIALECT_2_0_2.into(), DIALECT_WILDCARD.into()] }
    }

    /// Whether the client offers this dialect.
    pub fn offers(&self, dialect: &str) -> bool {
        self.dialects.iter().any(|offered| offered == dialect)
    }

    /// Reads a whole frame. Dialect names that are not ASCII are read as far as they are.
    pub fn parse(frame: &[u8]) -> Result<Self, ParseError> {
        let head = (array::<4>, le_u8, take(27usize), le_u8, le_u16);
        let (rest, (protocol_id, command, _, word_count, byte_count)) = fixed(WHAT, frame, head)?;
        if protocol_id != PROTOCOL_ID {
            return Err(ParseError::Value {
                what: "ProtocolId",
                value: u32::from_le_bytes(protocol_id).into(),
            });
        }
        if command != SMB_COM_NEGOTIATE || word_count != 0 {
            return Err(ParseError::Value { what: "SMB1 command", value: command.into() });
        }
        let (_, mut strings) = fixed(WHAT, rest, take(byte_count))?;
        let mut dialects = Vec::new();
        while !strings.is_empty() {
            let (behind, (format, name)) = fixed(WHAT, strings, (le_u8, terminated))?;
            if format != DIALECT || dialects.len() == MAX_DIALECTS {
                return Err(ParseError::Value { what: "SMB1 dialect", value: format.into() });
            }
            dialects.push(String::from_utf8_lossy(name).into_owned());
            strings = behind;
        }
        Ok(Self { dialects })
    }

    /// The whole frame.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        out.put_slice(&PROTOCOL_ID);
        out.put_u8(SMB_COM_NEGOTIATE);
        out.put_u32_le(0);
        out.put_u8(FLAGS);
        out.put_u16_le(FLAGS2);
        out.put_bytes(0, 14);
        out.put_u16_le(0xfffe);
        out.put_bytes(0, 4);
        out.put_u8(0);
        out.put_u16_le(len16(self.dialects.iter().map(|dialect| dialect.len() + 2).sum()));
        for dialect in &self.dialects {
            out.put_u8(DIALECT);
            out.put_slice(dialect.as_bytes());
            out.put_u8(0);
        }
        out
    }
}

/// Bytes up to a zero, which is consumed.
fn terminated(i: &[u8]) -> crate::codec::num::Parsed<'_, &[u8]> {
    let len = i.iter().position(|byte| *byte == 0).unwrap_or(i.len());
    let (i, name) = take(len).parse(i)?;
    let (i, _) = le_u8(i)?;
    Ok((i, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trip_and_truncations(dialects in prop::collection::vec("[ -~]{0,20}", 0..10)) {
            let request = Smb1NegotiateRequest { dialects };
            let wire = request.to_bytes();
            prop_assert_eq!(&Smb1NegotiateRequest::parse(&wire).unwrap(), &request);
            for cut in 0..wire.len() {
                prop_assert!(Smb1NegotiateRequest::parse(&wire[..cut]).is_err());
            }
        }
    }

    #[test]
    fn other_smb1_messages_are_refused() {
        let mut wire = Smb1NegotiateRequest::multi_protocol().to_bytes();
        wire[4] = 0x73;
        assert!(Smb1NegotiateRequest::parse(&wire).is_err());
        let many = Smb1NegotiateRequest { dialects: vec!["A".into(); MAX_DIALECTS + 1] };
        assert!(Smb1NegotiateRequest::parse(&many.to_bytes()).is_err());
    }
}
