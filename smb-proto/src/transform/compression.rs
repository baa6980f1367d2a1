//! What stands before a compressed message: SMB2 COMPRESSION_TRANSFORM_HEADER — [MS-SMB2] 2.2.42.
//!
//! ```text
//! unchained  0xFC SMB | size of what was compressed | algorithm | 0      | offset | plain bytes | compressed bytes
//! chained    0xFC SMB | size of the whole message   | payload | payload | …
//!   payload             algorithm | 1 (first) or 0  | length | [original size] | bytes
//! ```
//! The flag that tells the two apart stands at the same place in both.

use crate::{
    codec::num::{array, fixed, le_u16, le_u32, len32, size},
    compress::pattern::PatternV1,
    dialect::CompressionAlgorithm,
    error::ParseError,
};
use bytes::BufMut;

/// ProtocolId of a compressed message: 0xFC 'S' 'M' 'B'.
pub const COMPRESSION_PROTOCOL_ID: [u8; 4] = *b"\xfcSMB";

const WHAT: &str = "SMB2 COMPRESSION_TRANSFORM_HEADER";
const PAYLOAD: &str = "compressed payload";
/// SMB2_COMPRESSION_FLAG_CHAINED: this is the first payload of a chain.
const FLAG_CHAINED: u16 = 1;
const UNCHAINED_LEN: usize = 16;
const CHAINED_LEN: usize = 8;
const PAYLOAD_LEN: usize = 8;
/// OriginalPayloadSize.
const ORIGINAL_LEN: usize = 4;

/// A compressed message — [MS-SMB2] 2.2.42.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompressedMessage<'a> {
    /// SMB2_COMPRESSION_TRANSFORM_HEADER_UNCHAINED.
    Unchained(Unchained<'a>),
    /// SMB2_COMPRESSION_TRANSFORM_HEADER_CHAINED.
    Chained(Chained<'a>),
}

/// A message whose end is compressed by one algorithm — [MS-SMB2] 2.2.42.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unchained<'a> {
    /// OriginalCompressedSegmentSize: bytes that `compressed` stands for, without `plain`.
    pub original_size: u32,
    /// Any but NONE.
    pub algorithm: CompressionAlgorithm,
    /// The front of the message, as it is (the Offset field is its length).
    pub plain: &'a [u8],
    /// The rest of the message, compressed.
    pub compressed: &'a [u8],
}

/// A message in pieces, each compressed in its own way — [MS-SMB2] 2.2.42.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chained<'a> {
    /// OriginalCompressedSegmentSize: bytes of the whole message.
    pub original_size: u32,
    /// The pieces, in order. At least one.
    pub payloads: Vec<Payload<'a>>,
}

/// One piece: SMB2_COMPRESSION_CHAINED_PAYLOAD_HEADER and what follows it — [MS-SMB2] 2.2.42.2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload<'a> {
    /// NONE: bytes as they are.
    Plain(&'a [u8]),
    /// Pattern_V1.
    Pattern(PatternV1),
    /// LZNT1, LZ77, LZ77+Huffman or LZ4.
    Compressed {
        /// Which of them.
        algorithm: CompressionAlgorithm,
        /// OriginalPayloadSize: bytes that `data` stands for.
        original_size: u32,
        /// The compressed bytes.
        data: &'a [u8],
    },
}

impl<'a> CompressedMessage<'a> {
    /// Whether `message` begins as a compressed message does.
    pub fn matches(message: &[u8]) -> bool {
        message.starts_with(&COMPRESSION_PROTOCOL_ID)
    }

    /// Reads the whole message; nothing is decompressed.
    pub fn parse(message: &'a [u8]) -> Result<Self, ParseError> {
        let (rest, (protocol, original_size)) = fixed(WHAT, message, (array, le_u32))?;
        if protocol != COMPRESSION_PROTOCOL_ID {
            return Err(ParseError::Value { what: "ProtocolId", value: u32::from_le_bytes(protocol).into() });
        }
        let (behind, (algorithm, flags, offset)) = fixed(WHAT, rest, (le_u16, le_u16, le_u32))?;
        match flags {
            0 => Unchained::parse(original_size, CompressionAlgorithm(algorithm), offset, behind)
                .map(Self::Unchained),
            FLAG_CHAINED => Chained::parse(original_size, rest).map(Self::Chained),
            _ => Err(ParseError::Value { what: "compression Flags", value: flags.into() }),
        }
    }

    /// Bytes that [`emit`](Self::emit) writes.
    pub fn wire_len(&self) -> usize {
        match self {
            Self::Unchained(message) => UNCHAINED_LEN + message.plain.len() + message.compressed.len(),
            Self::Chained(message) => {
                CHAINED_LEN + message.payloads.iter().map(Payload::wire_len).sum::<usize>()
            }
        }
    }

    /// Writes the whole message.
    pub fn emit(&self, out: &mut impl BufMut) {
        out.put_slice(&COMPRESSION_PROTOCOL_ID);
        match self {
            Self::Unchained(message) => {
                out.put_u32_le(message.original_size);
                out.put_u16_le(message.algorithm.0);
                out.put_u16_le(0);
                out.put_u32_le(len32(message.plain.len()));
                out.put_slice(message.plain);
                out.put_slice(message.compressed);
            }
            Self::Chained(message) => {
                out.put_u32_le(message.original_size);
                let flags = std::iter::once(FLAG_CHAINED).chain(std::iter::repeat(0));
                for (payload, flags) in message.payloads.iter().zip(flags) {
                    payload.emit(flags, out);
                }
            }
        }
    }
}

impl<'a> Unchained<'a> {
    fn parse(
        original_size: u32,
        algorithm: CompressionAlgorithm,
        offset: u32,
        behind: &'a [u8],
    ) -> Result<Self, ParseError> {
        if !has_original_size(algorithm) {
            return Err(ParseError::Value { what: "CompressionAlgorithm", value: algorithm.0.into() });
        }
        let (plain, compressed) =
            behind.split_at_checked(size(offset)).ok_or(outside("compression Offset", offset, behind))?;
        Ok(Self { original_size, algorithm, plain, compressed })
    }
}

impl<'a> Chained<'a> {
    fn parse(original_size: u32, mut rest: &'a [u8]) -> Result<Self, ParseError> {
        let mut payloads = Vec::new();
        while !rest.is_empty() {
            let (payload, behind) = Payload::parse(rest, payloads.is_empty())?;
            payloads.push(payload);
            rest = behind;
        }
        Ok(Self { original_size, payloads })
    }
}

impl<'a> Payload<'a> {
    /// Bytes of the message that it stands for.
    pub fn original_len(&self) -> usize {
        match self {
            Self::Plain(bytes) => bytes.len(),
            Self::Pattern(pattern) => pattern.len(),
            Self::Compressed { original_size, .. } => size(*original_size),
        }
    }

    fn parse(input: &'a [u8], first: bool) -> Result<(Self, &'a [u8]), ParseError> {
        let (rest, (algorithm, flags, length)) = fixed(PAYLOAD, input, (le_u16, le_u16, le_u32))?;
        // Only the mark of a first payload is looked at: Windows 11 leaves stray bits in the others.
        if (flags == FLAG_CHAINED) != first {
            return Err(ParseError::Value { what: "payload Flags", value: flags.into() });
        }
        let (content, behind) =
            rest.split_at_checked(size(length)).ok_or(outside("payload Length", length, rest))?;
        let payload = match CompressionAlgorithm(algorithm) {
            CompressionAlgorithm::NONE => Self::Plain(content),
            CompressionAlgorithm::PATTERN_V1 => Self::Pattern(PatternV1::parse(content)?),
            algorithm if has_original_size(algorithm) => {
                let (data, original_size) = fixed(PAYLOAD, content, le_u32)?;
                Self::Compressed { algorithm, original_size, data }
            }
            other => return Err(ParseError::Value { what: "CompressionAlgorithm", value: other.0.into() }),
        };
        Ok((payload, behind))
    }

    fn wire_len(&self) -> usize {
        PAYLOAD_LEN
            + match self {
                Self::Plain(bytes) => bytes.len(),
                Self::Pattern(_) => PatternV1::LEN,
                Self::Compressed { data, .. } => ORIGINAL_LEN + data.len(),
            }
    }

    fn algorithm(&self) -> CompressionAlgorithm {
        match self {
            Self::Plain(_) => CompressionAlgorithm::NONE,
            Self::Pattern(_) => CompressionAlgorithm::PATTERN_V1,
            Self::Compressed { algorithm, .. } => *algorithm,
        }
    }

    fn emit(&self, flags: u16, out: &mut impl BufMut) {
        out.put_u16_le(self.algorithm().0);
        out.put_u16_le(flags);
        out.put_u32_le(len32(self.wire_len() - PAYLOAD_LEN));
        match self {
            Self::Plain(bytes) => out.put_slice(bytes),
            Self::Pattern(pattern) => pattern.emit(out),
            Self::Compressed { original_size, data, .. } => {
                out.put_u32_le(*original_size);
                out.put_slice(data);
            }
        }
    }
}

/// Whether it compresses by itself, so that its payload tells an OriginalPayloadSize.
fn has_original_size(algorithm: CompressionAlgorithm) -> bool {
    matches!(
        algorithm,
        CompressionAlgorithm::LZNT1
            | CompressionAlgorithm::LZ77
            | CompressionAlgorithm::LZ77_HUFFMAN
            | CompressionAlgorithm::LZ4
    )
}

fn outside(what: &'static str, len: u32, rest: &[u8]) -> ParseError {
    let size = u64::try_from(rest.len()).unwrap_or(u64::MAX);
    ParseError::Bounds { what, offset: 0, len: len.into(), size }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn emitted(message: &CompressedMessage<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        message.emit(&mut out);
        assert_eq!(out.len(), message.wire_len());
        out
    }

    #[test]
    fn unchained_fields_have_their_places() {
        let message = CompressedMessage::Unchained(Unchained {
            original_size: 0x0403_0201,
            algorithm: CompressionAlgorithm::LZ77,
            plain: b"head",
            compressed: b"tail!",
        });
        let wire = emitted(&message);
        assert_eq!(wire, b"\xfcSMB\x01\x02\x03\x04\x02\x00\x00\x00\x04\x00\x00\x00headtail!");
        assert_eq!(CompressedMessage::parse(&wire), Ok(message));
    }

    /// As Windows lays out a WRITE of zeros with text: header plain, run, text, run.
    #[test]
    fn chained_fields_have_their_places() {
        let message = CompressedMessage::Chained(Chained {
            original_size: 0x2222,
            payloads: vec![
                Payload::Plain(b"SMB2 header"),
                Payload::Pattern(PatternV1 { pattern: 0xee, repetitions: 0x1000 }),
                Payload::Compressed {
                    algorithm: CompressionAlgorithm::LZ4,
                    original_size: 0x0999,
                    data: b"squeezed",
                },
            ],
        });
        let wire = emitted(&message);
        let expected = [
            &b"\xfcSMB\x22\x22\x00\x00"[..],
            b"\x00\x00\x01\x00\x0b\x00\x00\x00SMB2 header",
            b"\x04\x00\x00\x00\x08\x00\x00\x00\xee\x00\x00\x00\x00\x10\x00\x00",
            b"\x05\x00\x00\x00\x0c\x00\x00\x00\x99\x09\x00\x00squeezed",
        ];
        assert_eq!(wire, expected.concat());
        assert_eq!(CompressedMessage::parse(&wire), Ok(message));
    }

    #[test]
    fn refuses_what_has_no_meaning() {
        let value = |what, value| Err(ParseError::Value { what, value });
        let parse = CompressedMessage::parse;
        assert_eq!(parse(b"\xfeSMB............"), value("ProtocolId", 0x424d_53fe));
        assert_eq!(parse(b"\xfcSMB----\x02\x00\x02\x00...."), value("compression Flags", 2));
        assert_eq!(parse(b"\xfcSMB----\x00\x00\x00\x00\x00\x00\x00\x00"), value("CompressionAlgorithm", 0));
        assert_eq!(parse(b"\xfcSMB----\x04\x00\x00\x00\x00\x00\x00\x00"), value("CompressionAlgorithm", 4));
        assert_eq!(parse(b"\xfcSMB----\x06\x00\x01\x00\x00\x00\x00\x00"), value("CompressionAlgorithm", 6));
        let nested = b"\xfcSMB----\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00";
        assert_eq!(parse(nested), value("payload Flags", 1));
        let offset = ParseError::Bounds { what: "compression Offset", offset: 0, len: 2, size: 1 };
        assert_eq!(parse(b"\xfcSMB----\x02\x00\x00\x00\x02\x00\x00\x00x"), Err(offset));
        let length = ParseError::Bounds { what: "payload Length", offset: 0, len: 2, size: 1 };
        assert_eq!(parse(b"\xfcSMB----\x00\x00\x01\x00\x02\x00\x00\x00x"), Err(length));
    }

    #[test]
    fn stray_flags_of_later_payloads_are_ignored() {
        let stray = b"\xfcSMB\x02\0\0\0\x00\x00\x01\x00\x01\x00\x00\x00a\x00\x00\xcd\xab\x01\x00\x00\x00b";
        let payloads = vec![Payload::Plain(b"a"), Payload::Plain(b"b")];
        let expected = CompressedMessage::Chained(Chained { original_size: 2, payloads });
        assert_eq!(CompressedMessage::parse(stray), Ok(expected));
    }

    fn algorithm() -> impl Strategy<Value = CompressionAlgorithm> {
        prop::sample::select(vec![1, 2, 3, 5]).prop_map(CompressionAlgorithm)
    }

    #[derive(Debug, Clone)]
    enum Owned {
        Plain(Vec<u8>),
        Pattern(u8, u32),
        Compressed(CompressionAlgorithm, u32, Vec<u8>),
    }

    fn owned() -> impl Strategy<Value = Owned> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..40);
        prop_oneof![
            bytes().prop_map(Owned::Plain),
            any::<(u8, u32)>().prop_map(|(pattern, repetitions)| Owned::Pattern(pattern, repetitions)),
            (algorithm(), any::<u32>(), bytes()).prop_map(|(a, size, data)| Owned::Compressed(a, size, data)),
        ]
    }

    fn borrowed(owned: &Owned) -> Payload<'_> {
        match owned {
            Owned::Plain(bytes) => Payload::Plain(bytes),
            Owned::Pattern(pattern, repetitions) => {
                Payload::Pattern(PatternV1 { pattern: *pattern, repetitions: *repetitions })
            }
            Owned::Compressed(algorithm, original_size, data) => {
                Payload::Compressed { algorithm: *algorithm, original_size: *original_size, data }
            }
        }
    }

    proptest! {
        #[test]
        fn unchained_round_trip(original_size: u32, algorithm in algorithm(), plain: Vec<u8>, compressed: Vec<u8>) {
            let message = CompressedMessage::Unchained(Unchained {
                original_size, algorithm, plain: &plain, compressed: &compressed,
            });
            let wire = emitted(&message);
            prop_assert_eq!(CompressedMessage::parse(&wire), Ok(message));
            for cut in 0..UNCHAINED_LEN + plain.len() {
                prop_assert!(CompressedMessage::parse(&wire[..cut]).is_err());
            }
        }

        #[test]
        fn chained_round_trip(original_size: u32, owned in proptest::collection::vec(owned(), 1..6)) {
            let payloads: Vec<_> = owned.iter().map(borrowed).collect();
            let ends: Vec<_> = payloads.iter().scan(CHAINED_LEN, |at, payload| {
                *at += payload.wire_len();
                Some(*at)
            }).collect();
            let message = CompressedMessage::Chained(Chained { original_size, payloads });
            let wire = emitted(&message);
            prop_assert_eq!(CompressedMessage::parse(&wire), Ok(message));
            for cut in 0..wire.len() {
                prop_assert_eq!(CompressedMessage::parse(&wire[..cut]).is_ok(), ends.contains(&cut));
            }
        }

        /// Whatever is accepted is written as it was, but for stray flags and reserved bytes.
        #[test]
        fn accepted_is_a_fixed_point(mut wire: Vec<u8>, chained: bool, algorithm in 0u8..6) {
            wire.splice(0..0, *b"\xfcSMB\x10\0\0\0\0\0\0\0\x08\0\0\0");
            (wire[8], wire[10]) = (algorithm, u8::from(chained));
            if let Ok(message) = CompressedMessage::parse(&wire) {
                let again = emitted(&message);
                prop_assert_eq!(again.len(), wire.len());
                prop_assert_eq!(CompressedMessage::parse(&again), Ok(message));
            }
        }
    }
}
