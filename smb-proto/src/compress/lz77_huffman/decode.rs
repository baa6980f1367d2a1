//! Decompression — [MS-XCA] 2.2.

use super::{
    BLOCK, LENGTHS, LONG, MATCH, WHAT,
    code::{MAX_BITS, Table, unpack},
};
use crate::{
    compress::{copy::copy_match, input::Input},
    error::ParseError,
};

/// Decompresses `data` to exactly `original_len` bytes, which the caller has bounded.
pub fn decompress(data: &[u8], original_len: usize) -> Result<Vec<u8>, ParseError> {
    let mut out = vec![0; original_len];
    decompress_into(data, &mut out)?;
    Ok(out)
}

/// Decompresses `data` into the whole of `out`.
pub fn decompress_into(data: &[u8], out: &mut [u8]) -> Result<(), ParseError> {
    let mut input = Input::new(WHAT, data);
    let mut table = Table::new();
    let mut at = 0;
    while at < out.len() {
        let lengths: &[u8; LENGTHS] = input.array()?;
        if !table.fill(&unpack(lengths)) {
            return Err(ParseError::Value { what: "Huffman code lengths", value: 0 });
        }
        at = block(&mut Bits::new(&mut input)?, &table, out, at)?;
    }
    Ok(())
}

/// One block, from `at` on; returns where it ended.
fn block(bits: &mut Bits<'_, '_>, table: &Table, out: &mut [u8], mut at: usize) -> Result<usize, ParseError> {
    let end = at.saturating_add(BLOCK).min(out.len());
    while at < end {
        let (symbol, code_bits) = table.look_up(bits.next >> (u32::BITS - MAX_BITS));
        bits.consume(code_bits)?;
        match symbol.checked_sub(MATCH) {
            None => {
                if let Some(byte) = out.get_mut(at) {
                    [*byte, ..] = symbol.to_le_bytes();
                }
                at += 1;
            }
            Some(code) => {
                let len = match code & 15 {
                    LONG => longer(bits.input)?,
                    short => short,
                };
                let distance = bits.distance(u32::try_from(code >> 4).unwrap_or(0))?;
                at = copy_match(out, at, distance, len.saturating_add(3))?;
            }
        }
    }
    Ok(at)
}

/// A length of at least 18, less 3.
fn longer(input: &mut Input<'_>) -> Result<usize, ParseError> {
    Ok(match input.u8()? {
        255 => input.long_length(LONG)?,
        byte => LONG + usize::from(byte),
    })
}

/// The bit stream. It reads a word ahead at the very moments that the format fixes, as the bytes of long lengths
/// stand behind what was read so far.
struct Bits<'a, 'data> {
    input: &'a mut Input<'data>,
    /// The next bits, most significant first; the upper `16 + extra` are valid.
    next: u32,
    extra: u32,
}

impl<'a, 'data> Bits<'a, 'data> {
    fn new(input: &'a mut Input<'data>) -> Result<Self, ParseError> {
        let next = u32::from(input.u16()?) << 16 | u32::from(input.u16()?);
        Ok(Self { input, next, extra: 16 })
    }

    /// Drops `count` bits, 15 at most.
    #[inline]
    fn consume(&mut self, count: u32) -> Result<(), ParseError> {
        self.next <<= count;
        match self.extra.checked_sub(count) {
            Some(extra) => self.extra = extra,
            None => {
                let lacking = count - self.extra;
                self.next |= u32::from(self.input.u16()?) << lacking;
                self.extra = 16 - lacking;
            }
        }
        Ok(())
    }

    /// A distance: a one, then `count` bits, 15 at most.
    #[inline]
    fn distance(&mut self, count: u32) -> Result<usize, ParseError> {
        let low = (u64::from(self.next) << count) >> u32::BITS;
        self.consume(count)?;
        Ok(1 << count | usize::try_from(low).unwrap_or(0))
    }
}
