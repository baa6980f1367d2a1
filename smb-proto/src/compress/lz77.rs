//! Plain LZ77 — [MS-XCA] 2.3, 2.4.
//!
//! ```text
//! 32 flags, most significant first, then one item per flag:
//!   0  a literal byte
//!   1  16 bits: (distance - 1) << 3 | length - 3; a length code of 7 goes on in a half byte (two matches share
//!      one byte), then in a byte, then in 16 or 32 bits
//! Flags that are left over at the end are ones.
//! ```

use super::{
    copy::copy_match,
    finder::{Finder, Sink},
    input::Input,
};
use crate::error::ParseError;

const WHAT: &str = "LZ77 stream";
/// 13 bits of distance.
const MAX_DISTANCE: usize = 8192;
/// The longest that 16 bits tell; older decoders do not know the 32-bit form.
const MAX_LEN: usize = 65_535 + 3;
/// Candidates tried per position.
const DEPTH: usize = 8;
/// What the length code of the 16 bits can tell, and what the half byte adds.
const IN_CODE: usize = 7;
const IN_HALF: usize = 15;

/// Compresses `data`; `None` where that does not make it smaller.
pub fn compress(data: &[u8]) -> Option<Vec<u8>> {
    let mut finder = Finder::new(data, MAX_DISTANCE, DEPTH)?;
    let mut encoder = Encoder::new(data.len());
    finder.tokens(0..data.len(), 0, &mut encoder);
    let out = encoder.finish();
    (out.len() < data.len()).then_some(out)
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
    let (mut at, mut flags, mut left) = (0, 0u32, 0u32);
    let mut half = None;
    while at < out.len() {
        if left == 0 {
            (flags, left) = (input.u32()?, u32::BITS);
        }
        let literals = flags.leading_zeros().min(left);
        if literals > 0 {
            at = copy_literals(&mut input, literals, out, at)?;
        } else {
            let code = usize::from(input.u16()?);
            let len = match code & IN_CODE {
                IN_CODE => IN_CODE + longer(&mut input, &mut half)?,
                short => short,
            };
            at = copy_match(out, at, (code >> 3) + 1, len.saturating_add(3))?;
        }
        let used = literals.max(1);
        flags = flags.checked_shl(used).unwrap_or(0);
        left -= used;
    }
    Ok(())
}

/// Up to `count` literals, as many as there is room for.
fn copy_literals(input: &mut Input<'_>, count: u32, out: &mut [u8], at: usize) -> Result<usize, ParseError> {
    let room = out.get_mut(at..).unwrap_or_default();
    let count = usize::try_from(count).unwrap_or(0).min(room.len());
    let target = room.get_mut(..count).unwrap_or_default();
    target.copy_from_slice(input.take(count)?);
    Ok(at + count)
}

/// What a length of at least ten is longer than ten. `half` keeps the half byte that waits for the next one.
fn longer(input: &mut Input<'_>, half: &mut Option<u8>) -> Result<usize, ParseError> {
    let nibble = match half.take() {
        Some(high) => high,
        None => {
            let byte = input.u8()?;
            *half = Some(byte >> 4);
            byte & 15
        }
    };
    if nibble < 15 {
        return Ok(nibble.into());
    }
    Ok(match input.u8()? {
        255 => input.long_length(IN_CODE + IN_HALF)? - IN_CODE,
        byte => IN_HALF + usize::from(byte),
    })
}

/// Writes the stream; knows where the flags and the half byte that are still open stand.
struct Encoder {
    out: Vec<u8>,
    flags: u32,
    flag_count: u32,
    flags_at: usize,
    half_at: Option<usize>,
}

impl Encoder {
    fn new(len: usize) -> Self {
        let mut out = Vec::with_capacity(len / 2 + 16);
        out.extend_from_slice(&[0; 4]);
        Self { out, flags: 0, flag_count: 0, flags_at: 0, half_at: None }
    }

    /// `count` flags, no more than are free.
    #[inline]
    fn flags(&mut self, flags: u32, count: u32) {
        self.flags = self.flags.checked_shl(count).unwrap_or(0) | flags;
        self.flag_count += count;
        if self.flag_count == u32::BITS {
            self.put_flags(self.flags);
            self.flags_at = self.out.len();
            self.out.extend_from_slice(&[0; 4]);
            (self.flags, self.flag_count) = (0, 0);
        }
    }

    fn put_flags(&mut self, flags: u32) {
        if let Some(place) = self.out.get_mut(self.flags_at..).and_then(|out| out.first_chunk_mut()) {
            *place = flags.to_le_bytes();
        }
    }

    /// `length` is what is left of the length after 3 and the code.
    fn put_longer(&mut self, length: usize) {
        self.put_half(u8::try_from(length).unwrap_or(15).min(15));
        let Some(over) = length.checked_sub(IN_HALF) else { return };
        match u8::try_from(over) {
            Ok(byte) if byte < 255 => self.out.push(byte),
            _ => {
                self.out.push(255);
                let whole = u16::try_from(length + IN_CODE).unwrap_or(u16::MAX);
                self.out.extend_from_slice(&whole.to_le_bytes());
            }
        }
    }

    fn put_half(&mut self, nibble: u8) {
        match self.half_at.take().and_then(|at| self.out.get_mut(at)) {
            Some(byte) => *byte |= nibble << 4,
            None => {
                self.half_at = Some(self.out.len());
                self.out.push(nibble);
            }
        }
    }

    fn finish(mut self) -> Vec<u8> {
        let open = u32::BITS - self.flag_count;
        let ones = u32::MAX.checked_shr(self.flag_count).unwrap_or(0);
        self.put_flags(self.flags.checked_shl(open).unwrap_or(0) | ones);
        self.out
    }
}

impl Sink for Encoder {
    fn literals(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let free = usize::try_from(u32::BITS - self.flag_count).unwrap_or(0);
            let (now, behind) = rest.split_at_checked(free).unwrap_or((rest, &[]));
            self.out.extend_from_slice(now);
            self.flags(0, u32::try_from(now.len()).unwrap_or(0));
            rest = behind;
        }
    }

    fn matched(&mut self, len: usize, distance: usize) {
        let length = len.saturating_sub(3);
        let code = distance.saturating_sub(1) << 3 | length.min(IN_CODE);
        self.out.extend_from_slice(&u16::try_from(code).unwrap_or(0).to_le_bytes());
        if let Some(longer) = length.checked_sub(IN_CODE) {
            self.put_longer(longer);
        }
        self.flags(1, 1);
    }

    fn max_len(&self, _offset: usize) -> usize {
        MAX_LEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::samples::{alphabet, hex};

    /// [MS-XCA] 3.1.
    #[test]
    fn published_literals() {
        let stream = hex("3f000000 6162636465666768696a6b6c6d6e6f707172737475767778797a");
        assert_eq!(decompress(&stream, 26), Ok(alphabet()));
        assert_eq!(compress(&alphabet()), None, "does not shrink");
        let mut encoder = Encoder::new(26);
        encoder.literals(&alphabet());
        assert_eq!(encoder.finish(), stream);
    }

    /// [MS-XCA] 3.1: a hundred times "abc".
    #[test]
    fn published_match() {
        let stream = hex("ffffff1f 616263 1700 0f ff 2601");
        assert_eq!(decompress(&stream, 300), Ok(b"abc".repeat(100)));
        assert_eq!(compress(&b"abc".repeat(100)), Some(stream));
    }

    #[test]
    fn two_matches_share_a_byte() {
        // "a", 12 more of it, "b", 11 more: lengths 12 and 11 tell 2 and 1 in the halves of one byte.
        let stream = hex("ffffff5f 61 0700 12 62 0700");
        let expected = [vec![b'a'; 13], vec![b'b'; 12]].concat();
        assert_eq!(decompress(&stream, expected.len()), Ok(expected.clone()));
        assert_eq!(compress(&expected), Some(stream));
    }

    #[test]
    fn length_of_32_bits_is_read() {
        let stream = hex("ffffff7f 61 0700 0f ff 0000 9d860100");
        assert!(decompress(&stream, 100_001).unwrap() == [b'a'; 100_001]);
    }

    #[test]
    fn ends_after_whole_flags() {
        // 32 items: the next flags are announced, all ones.
        let data = [alphabet(), b"ABCDEF".to_vec()].concat();
        let mut encoder = Encoder::new(32);
        encoder.literals(&data);
        let stream = encoder.finish();
        assert_eq!(stream, [&[0; 4], &data[..], &[0xff; 4]].concat());
        assert_eq!(decompress(&stream, 32), Ok(data));
    }

    #[test]
    fn refuses_bad_streams() {
        assert_eq!(decompress(&[], 1), Err(ParseError::Truncated { what: WHAT }));
        assert_eq!(decompress(&hex("00000000 61"), 2), Err(ParseError::Truncated { what: WHAT }));
        let before_start = hex("ffffff7f 61 0800");
        assert_eq!(decompress(&before_start, 9), Err(ParseError::Value { what: "match distance", value: 2 }));
        let too_long = hex("ffffff7f 61 0000");
        assert_eq!(decompress(&too_long, 3), Err(ParseError::Value { what: "match length", value: 3 }));
        let short_long_length = hex("ffffff7f 61 0700 0f ff 1500");
        assert_eq!(
            decompress(&short_long_length, 99),
            Err(ParseError::Value { what: "match length", value: 21 })
        );
    }
}
