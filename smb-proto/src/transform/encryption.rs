//! What stands before a sealed message: SMB2 TRANSFORM_HEADER — [MS-SMB2] 2.2.41.

use crate::{
    codec::num::{array, fixed, le_u16, le_u32, le_u64},
    error::ParseError,
};
use bytes::BufMut;

/// Bytes of a transform header.
pub const TRANSFORM_HEADER_LEN: usize = 52;
/// ProtocolId of a sealed message: 0xFD 'S' 'M' 'B'.
pub const TRANSFORM_PROTOCOL_ID: [u8; 4] = *b"\xfdSMB";
/// Where the associated data begins: all that follows the signature.
pub(crate) const AAD_START: usize = 20;
/// Encrypted (3.1.1) and SMB2_ENCRYPTION_AES128_CCM (3.0, 3.0.2) are the same value.
const ENCRYPTED: u16 = 1;
const WHAT: &str = "SMB2 TRANSFORM_HEADER";

/// SMB2 TRANSFORM_HEADER — [MS-SMB2] 2.2.41. Readable before the message is opened: `session_id` names the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransformHeader {
    /// The AEAD's tag.
    pub signature: [u8; 16],
    /// The nonce; CCM uses its first 11 bytes, GCM its first 12.
    pub nonce: [u8; 16],
    /// OriginalMessageSize: bytes of the message inside. The one size that is kept: with a sealed message it says
    /// how much follows, before anything else can be trusted.
    pub original_message_size: u32,
    /// The session whose key seals.
    pub session_id: u64,
}

impl TransformHeader {
    /// Whether `message` begins as a sealed message does.
    pub fn matches(message: &[u8]) -> bool {
        message.starts_with(&TRANSFORM_PROTOCOL_ID)
    }

    /// Reads the header; also returns what follows it.
    pub fn parse(message: &[u8]) -> Result<(Self, &[u8]), ParseError> {
        let parts = (array, array, array, le_u32, le_u16, le_u16, le_u64);
        let (rest, (protocol, signature, nonce, size, _reserved, flags, session_id)) =
            fixed(WHAT, message, parts)?;
        if protocol != TRANSFORM_PROTOCOL_ID {
            return Err(ParseError::Value { what: "ProtocolId", value: u32::from_le_bytes(protocol).into() });
        }
        if flags != ENCRYPTED {
            return Err(ParseError::Value { what: "Flags/EncryptionAlgorithm", value: flags.into() });
        }
        Ok((Self { signature, nonce, original_message_size: size, session_id }, rest))
    }

    /// Writes the 52 bytes.
    pub fn emit(&self, out: &mut impl BufMut) {
        out.put_slice(&TRANSFORM_PROTOCOL_ID);
        out.put_slice(&self.signature);
        out.put_slice(&self.nonce);
        out.put_u32_le(self.original_message_size);
        out.put_u16_le(0);
        out.put_u16_le(ENCRYPTED);
        out.put_u64_le(self.session_id);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use proptest::prelude::*;

    const HEADER: TransformHeader = TransformHeader {
        signature: [0x11; 16],
        nonce: [0x22; 16],
        original_message_size: 0x0304_0506,
        session_id: 0x0708_090a_0b0c_0d0e,
    };

    fn bytes(header: &TransformHeader) -> Vec<u8> {
        let mut out = Vec::new();
        header.emit(&mut out);
        out
    }

    #[test]
    fn every_field_has_its_place() {
        let mut expected = b"\xfdSMB".to_vec();
        expected.extend([0x11; 16]);
        expected.extend([0x22; 16]);
        expected.extend([6, 5, 4, 3, 0, 0, 1, 0, 0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 9, 8, 7]);
        assert_eq!(bytes(&HEADER), expected);
        expected.extend(*b"body");
        assert_eq!(TransformHeader::parse(&expected), Ok((HEADER, &b"body"[..])));
    }

    #[test]
    fn cut_short_or_foreign_is_refused() {
        let whole = bytes(&HEADER);
        for len in 0..whole.len() {
            assert!(TransformHeader::parse(&whole[..len]).is_err(), "{len}");
        }
        let mut plain = whole.clone();
        plain[0] = 0xfe;
        assert!(!TransformHeader::matches(&plain));
        assert_eq!(
            TransformHeader::parse(&plain),
            Err(ParseError::Value { what: "ProtocolId", value: 0x424d_53fe })
        );
        let mut unflagged = whole;
        unflagged[42] = 0;
        assert_eq!(
            TransformHeader::parse(&unflagged),
            Err(ParseError::Value { what: "Flags/EncryptionAlgorithm", value: 0 })
        );
    }

    proptest! {
        #[test]
        fn parses_what_it_emits(signature: [u8; 16], nonce: [u8; 16], original_message_size: u32, session_id: u64) {
            let header = TransformHeader { signature, nonce, original_message_size, session_id };
            let wire = bytes(&header);
            prop_assert_eq!(TransformHeader::parse(&wire), Ok((header, &[][..])));
        }
    }
}
