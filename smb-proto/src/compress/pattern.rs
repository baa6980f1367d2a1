//! Pattern_V1: runs of one byte at the front and at the back — [MS-SMB2] 2.2.42.2.2, 3.1.4.4.1.

use crate::{
    codec::num::{fixed, le_u8, le_u16, le_u32, size},
    error::ParseError,
};
use bytes::BufMut;

/// Shorter runs are not worth telling — [MS-SMB2] 3.1.4.4.1.
const MIN_REPETITIONS: usize = 64;

/// SMB2_COMPRESSION_PATTERN_PAYLOAD_V1: one byte, many times — [MS-SMB2] 2.2.42.2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PatternV1 {
    /// The byte.
    pub pattern: u8,
    /// How many times, in bytes.
    pub repetitions: u32,
}

impl PatternV1 {
    /// Bytes on the wire.
    pub const LEN: usize = 8;

    /// Reads the 8 bytes, and nothing but them.
    pub fn parse(payload: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "Pattern_V1 payload";
        let (rest, (pattern, _reserved1, _reserved2, repetitions)) =
            fixed(WHAT, payload, (le_u8, le_u8, le_u16, le_u32))?;
        if !rest.is_empty() {
            let value = u64::try_from(payload.len()).unwrap_or(u64::MAX);
            return Err(ParseError::Value { what: WHAT, value });
        }
        Ok(Self { pattern, repetitions })
    }

    /// Writes the 8 bytes.
    pub fn emit(&self, out: &mut impl BufMut) {
        out.put_u8(self.pattern);
        out.put_bytes(0, 3);
        out.put_u32_le(self.repetitions);
    }

    /// The run in bytes.
    pub fn len(&self) -> usize {
        size(self.repetitions)
    }

    /// Whether it stands for nothing.
    pub fn is_empty(&self) -> bool {
        self.repetitions == 0
    }

    /// A run of `len` times `byte`, where that is worth telling.
    fn of(byte: Option<&u8>, len: usize) -> Option<Self> {
        let repetitions = u32::try_from(len).ok().filter(|_| len >= MIN_REPETITIONS)?;
        Some(Self { pattern: *byte?, repetitions })
    }
}

/// ForwardDataPattern and BackwardDataPattern of `data`; they never overlap.
pub fn scan(data: &[u8]) -> (Option<PatternV1>, Option<PatternV1>) {
    let front = PatternV1::of(data.first(), front_run(data));
    let rest = data.get(front.map_or(0, |front| front.len())..).unwrap_or_default();
    (front, PatternV1::of(rest.last(), back_run(rest)))
}

/// How many bytes equal the first one; words at a time.
fn front_run(data: &[u8]) -> usize {
    let Some(first) = data.first() else { return 0 };
    let words = data.as_chunks::<16>().0.iter().take_while(|word| **word == [*first; 16]).count() * 16;
    words + data.get(words..).unwrap_or_default().iter().take_while(|byte| *byte == first).count()
}

/// How many bytes equal the last one.
fn back_run(data: &[u8]) -> usize {
    let Some(last) = data.last() else { return 0 };
    let words = data.as_rchunks::<16>().1.iter().rev().take_while(|word| **word == [*last; 16]).count() * 16;
    let rest = data.get(..data.len() - words).unwrap_or_default();
    words + rest.iter().rev().take_while(|byte| *byte == last).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(pattern: u8, repetitions: u32) -> Option<PatternV1> {
        Some(PatternV1 { pattern, repetitions })
    }

    #[test]
    fn every_field_has_its_place() {
        let mut out = Vec::new();
        PatternV1 { pattern: 0xab, repetitions: 0x0403_0201 }.emit(&mut out);
        assert_eq!(out, [0xab, 0, 0, 0, 1, 2, 3, 4]);
        out[1..4].fill(0xff);
        assert_eq!(PatternV1::parse(&out).ok(), run(0xab, 0x0403_0201), "reserved bytes are ignored");
        for len in 0..8 {
            assert!(PatternV1::parse(&out[..len]).is_err());
        }
        out.push(0);
        assert!(PatternV1::parse(&out).is_err());
    }

    #[test]
    fn runs_of_64_and_more_are_found() {
        assert_eq!(scan(&[]), (None, None));
        assert_eq!(scan(&[7; 63]), (None, None));
        assert_eq!(scan(&[7; 64]), (run(7, 64), None));
        for (front, middle, back) in [(64, 1, 63), (63, 1, 64), (70, 0, 64), (100, 33, 1000), (65, 15, 65)] {
            let data = [vec![1; front], vec![2; middle], vec![3; back]].concat();
            let of = |byte, len: usize| PatternV1::of(Some(&byte), len);
            assert_eq!(scan(&data), (of(1, front), of(3, back)), "{front} {middle} {back}");
        }
    }
}
