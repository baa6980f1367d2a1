//! LZNT1 — [MS-XCA] 2.5.
//!
//! ```text
//! chunks of 4096 bytes (the last may be shorter), each by itself: 16 bits of header, then
//!   bit 15 clear: the bytes as they are
//!   bit 15 set:   8 flags, least significant first, then one item per flag:
//!     0  a literal byte
//!     1  16 bits: distance - 1 in the upper, length - 3 in the lower bits; how many bits are the
//!        distance's grows with what the chunk already yielded
//! A header of zero ends the stream early.
//! ```

use super::{
    copy::copy_match,
    finder::{Finder, Sink},
    input::Input,
};
use crate::error::ParseError;

const WHAT: &str = "LZNT1 stream";
/// Bytes of a whole chunk before compression.
const CHUNK: usize = 4096;
/// Bit 15 of the header.
const COMPRESSED: u16 = 0x8000;
/// Bits 12 to 14 of the header are 3.
const SIGNATURE_MASK: u16 = 0x7000;
const SIGNATURE: u16 = 0x3000;
/// The lower bits: bytes of header and content, less 3.
const SIZE_MASK: u16 = 0x0fff;
/// Candidates tried per position.
const DEPTH: usize = 8;

/// Compresses `data`; `None` where that does not make it smaller.
pub fn compress(data: &[u8]) -> Option<Vec<u8>> {
    let mut finder = Finder::new(data, CHUNK - 1, DEPTH)?;
    let out = Vec::with_capacity(data.len() / 2 + 16);
    let mut encoder = Encoder { out, flags_at: 0, flag_count: 0, yielded: 0 };
    let mut start = 0;
    for chunk in data.chunks(CHUNK) {
        let header_at = encoder.begin_chunk();
        finder.tokens(start..start + chunk.len(), start, &mut encoder);
        encoder.end_chunk(header_at, chunk);
        start += chunk.len();
    }
    (encoder.out.len() < data.len()).then_some(encoder.out)
}

/// Decompresses `data` to exactly `original_len` bytes, which the caller has bounded.
pub fn decompress(data: &[u8], original_len: usize) -> Result<Vec<u8>, ParseError> {
    let mut out = vec![0; original_len];
    decompress_into(data, &mut out)?;
    Ok(out)
}

/// Decompresses `data` into the whole of `out`.
pub fn decompress_into(data: &[u8], out: &mut [u8]) -> Result<(), ParseError> {
    let mut input = Input::new(WHAT, data);
    let mut at = 0;
    while at < out.len() {
        let header = input.u16()?;
        if header == 0 {
            return Err(ParseError::Truncated { what: WHAT });
        }
        if header & SIGNATURE_MASK != SIGNATURE {
            return Err(ParseError::Value { what: "LZNT1 chunk header", value: header.into() });
        }
        let content = input.take(usize::from(header & SIZE_MASK) + 1)?;
        let room = out.get_mut(at..).unwrap_or_default();
        at += if header & COMPRESSED == 0 { stored(content, room)? } else { chunk(content, room)? };
    }
    Ok(())
}

/// A chunk that was not compressed; returns how many bytes it yields.
fn stored(content: &[u8], room: &mut [u8]) -> Result<usize, ParseError> {
    let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
    let target =
        room.get_mut(..content.len()).ok_or(ParseError::Value { what: "LZNT1 chunk", value: size })?;
    target.copy_from_slice(content);
    Ok(content.len())
}

/// A compressed chunk; returns how many bytes it yields.
fn chunk(content: &[u8], room: &mut [u8]) -> Result<usize, ParseError> {
    let (limit, mut at) = (room.len().min(CHUNK), 0);
    let room = room.get_mut(..limit).unwrap_or_default();
    let mut input = Input::new(WHAT, content);
    while !input.is_empty() {
        let mut flags = input.u8()?;
        for _ in 0..8 {
            if input.is_empty() {
                break;
            }
            if flags & 1 == 0 {
                let literal = input.u8()?;
                *room
                    .get_mut(at)
                    .ok_or(ParseError::Value { what: "LZNT1 literal", value: literal.into() })? = literal;
                at += 1;
            } else {
                let (code, length_bits) = (input.u16()?, length_bits(at));
                let length = usize::from(code & ((1 << length_bits) - 1)) + 3;
                at = copy_match(room, at, usize::from(code >> length_bits) + 1, length)?;
            }
            flags >>= 1;
        }
    }
    Ok(at)
}

/// How many of a match's 16 bits tell its length, `at` bytes into the chunk: the distance gets the fewest bits, but
/// at least 4, that reach back to the chunk's start — [MS-XCA] 2.5.1.4.
fn length_bits(at: usize) -> u32 {
    let distance_bits = usize::BITS - at.saturating_sub(1).leading_zeros();
    16 - distance_bits.clamp(4, 12)
}

/// Writes chunks; knows where the flags that are still open stand.
struct Encoder {
    out: Vec<u8>,
    flags_at: usize,
    flag_count: u32,
    /// What the chunk yields so far.
    yielded: usize,
}

impl Encoder {
    /// Makes room for a header; returns where.
    fn begin_chunk(&mut self) -> usize {
        let at = self.out.len();
        self.out.extend_from_slice(&[0; 2]);
        (self.flag_count, self.yielded) = (0, 0);
        at
    }

    /// Writes the header; stores the chunk as it is where compression does not make it smaller.
    fn end_chunk(&mut self, header_at: usize, chunk: &[u8]) {
        let content_at = header_at + 2;
        let mut flags = COMPRESSED;
        if self.out.len() - content_at >= chunk.len() {
            self.out.truncate(content_at);
            self.out.extend_from_slice(chunk);
            flags = 0;
        }
        let size = u16::try_from(self.out.len() - content_at).unwrap_or(u16::MAX).saturating_sub(1);
        let header = flags | SIGNATURE | size & SIZE_MASK;
        if let Some(place) = self.out.get_mut(header_at..).and_then(|out| out.first_chunk_mut()) {
            *place = header.to_le_bytes();
        }
    }

    #[inline]
    fn flag(&mut self, flag: u8) {
        if self.flag_count.is_multiple_of(8) {
            self.flags_at = self.out.len();
            self.out.push(0);
        }
        if let Some(flags) = self.out.get_mut(self.flags_at) {
            *flags |= flag << (self.flag_count % 8);
        }
        self.flag_count += 1;
    }
}

impl Sink for Encoder {
    fn literals(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.flag(0);
            self.out.push(*byte);
        }
        self.yielded += bytes.len();
    }

    fn matched(&mut self, len: usize, distance: usize) {
        self.flag(1);
        let code = distance.saturating_sub(1) << length_bits(self.yielded) | len.saturating_sub(3);
        self.out.extend_from_slice(&u16::try_from(code).unwrap_or(0).to_le_bytes());
        self.yielded += len;
    }

    fn max_len(&self, offset: usize) -> usize {
        (1 << length_bits(offset)) + 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::samples::{hex, noise};

    /// [MS-XCA] 3.3: a melody with its terminating zero, one chunk.
    #[test]
    fn published_melody() {
        let stream = hex("38b08846232000204720410010a24701a045204400084501507900c045200524\
                          138805b4024a44ef0358028c091601484500be009e000401189000");
        let melody =
            b"F# F# G A A G F# E D D E F# F# E E F# F# G A A G F# E D D E F# E D D E E F# D E F# G F# D \
                       E F# G F# E D E A F# F# G A A G F# E D D E F# E D D\0";
        assert_eq!((stream.len(), melody.len()), (59, 142));
        assert_eq!(decompress(&stream, 142).unwrap(), melody);
        let ours = compress(melody).unwrap();
        assert!(ours.len() <= 59, "{} bytes", ours.len());
        assert_eq!(decompress(&ours, 142).unwrap(), melody);
    }

    #[test]
    fn distance_bits_grow() {
        let bits: Vec<u32> = [0, 1, 16, 17, 32, 33, 2048, 2049, 4095].map(length_bits).to_vec();
        assert_eq!(bits, [12, 12, 12, 11, 11, 10, 5, 4, 4]);
    }

    #[test]
    fn incompressible_chunks_are_stored() {
        let mut data = noise(1, 4096);
        data.extend([0; 4096]);
        let stream = compress(&data).unwrap();
        assert_eq!(stream[..2], 0x3fff_u16.to_le_bytes());
        assert_eq!(stream[2..4098], data[..4096]);
        assert_eq!(stream[4098..], hex("03b0 02 00 fc0f"));
        assert_eq!(decompress(&stream, 8192), Ok(data));
    }

    #[test]
    fn refuses_bad_streams() {
        let truncated = Err(ParseError::Truncated { what: WHAT });
        assert_eq!(decompress(&[], 1), truncated);
        assert_eq!(decompress(&[0, 0, 1], 1), truncated);
        assert_eq!(decompress(&hex("05b0 00"), 1), truncated);
        let header = Err(ParseError::Value { what: "LZNT1 chunk header", value: 0x8000 });
        assert_eq!(decompress(&hex("0080 00"), 1), header);
        let before_start = Err(ParseError::Value { what: "match distance", value: 1 });
        assert_eq!(decompress(&hex("02b0 01 0000"), 3), before_start);
        let over = Err(ParseError::Value { what: "LZNT1 chunk", value: 2 });
        assert_eq!(decompress(&hex("0130 6161"), 1), over);
    }

    /// A chunk yields 4096 bytes at most, even where there is room for more.
    #[test]
    fn chunk_is_bounded() {
        let long = [hex("06b0 06 61 ff0f 0000 61"), vec![0; 100]].concat();
        assert!(decompress(&long, 10_000).is_err());
    }
}
