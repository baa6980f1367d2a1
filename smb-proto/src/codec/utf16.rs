//! UTF-16LE names, as every name on the wire is ([MS-SMB2] 2.2).

use crate::error::ParseError;
use bytes::BufMut;

/// Reads a name. Lone surrogates are refused: they cannot be told to a user nor sent back as they came.
pub fn decode(what: &'static str, bytes: &[u8]) -> Result<String, ParseError> {
    let (units, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(ParseError::Utf16 { what });
    }
    char::decode_utf16(units.iter().map(|unit| u16::from_le_bytes(*unit)))
        .collect::<Result<String, _>>()
        .map_err(|_| ParseError::Utf16 { what })
}

/// Writes a name, without a terminator.
pub fn encode(name: &str, out: &mut impl BufMut) {
    name.encode_utf16().for_each(|unit| out.put_u16_le(unit));
}

/// The number of bytes [`encode`] writes.
pub fn encoded_len(name: &str) -> usize {
    name.encode_utf16().count().saturating_mul(2)
}

/// A name as owned bytes.
pub fn to_bytes(name: &str) -> Vec<u8> {
    name.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trip(name in any::<String>()) {
            let mut out = Vec::new();
            encode(&name, &mut out);
            prop_assert_eq!(out.len(), encoded_len(&name));
            prop_assert_eq!(&out, &to_bytes(&name));
            prop_assert_eq!(decode("name", &out).unwrap(), name);
        }
    }

    #[test]
    fn refuses_odd_length_and_lone_surrogate() {
        assert_eq!(decode("name", &[0x41]), Err(ParseError::Utf16 { what: "name" }));
        assert_eq!(decode("name", &[0x00, 0xd8]), Err(ParseError::Utf16 { what: "name" }));
    }
}
