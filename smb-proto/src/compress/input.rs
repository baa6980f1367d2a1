//! Bounded little-endian reads from a compressed stream.

use crate::error::ParseError;

/// What is left of a compressed stream.
pub(super) struct Input<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Input<'a> {
    /// A stream; `what` names it in errors.
    pub(super) const fn new(what: &'static str, rest: &'a [u8]) -> Self {
        Self { rest, what }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], ParseError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(self.truncated())?;
        self.rest = rest;
        Ok(bytes)
    }

    #[inline]
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], ParseError> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(self.truncated())?;
        self.rest = rest;
        Ok(bytes)
    }

    #[inline]
    pub(super) fn u8(&mut self) -> Result<u8, ParseError> {
        self.array::<1>().map(|[byte]| *byte)
    }

    #[inline]
    pub(super) fn u16(&mut self) -> Result<u16, ParseError> {
        self.array().map(|bytes| u16::from_le_bytes(*bytes))
    }

    #[inline]
    pub(super) fn u32(&mut self) -> Result<u32, ParseError> {
        self.array().map(|bytes| u32::from_le_bytes(*bytes))
    }

    /// The long form of a match length that LZ77 and LZ77+Huffman share: 16 bits, or 32 behind a zero
    /// — [MS-XCA] 2.2.4, 2.4.4.
    pub(super) fn long_length(&mut self, least: usize) -> Result<usize, ParseError> {
        let length = match self.u16()? {
            0 => self.u32()?,
            short => short.into(),
        };
        match usize::try_from(length) {
            Ok(length) if length >= least => Ok(length),
            _ => Err(ParseError::Value { what: "match length", value: length.into() }),
        }
    }

    const fn truncated(&self) -> ParseError {
        ParseError::Truncated { what: self.what }
    }
}
