//! Where (offset, length) pairs from the peer become bytes: nowhere else.

use super::num::len32;
use crate::{error::ParseError, header::HEADER_LEN};
use std::ops::Range;

/// One SMB2 message after its header was read: the fixed part, and the bytes that offsets point into.
///
/// Offsets in SMB2 count from the first byte of the SMB2 header ([MS-SMB2] 2.2), so the header's bytes stay
/// part of what a body can see.
#[derive(Debug, Clone, Copy)]
pub struct Body<'a> {
    message: &'a [u8],
    /// Where variable parts may begin.
    floor: u64,
}

impl<'a> Body<'a> {
    /// The body of `message`, which begins at its SMB2 header and ends where the message ends (the end of
    /// the frame or the start of the next compounded message).
    pub fn new(message: &'a [u8]) -> Result<Self, ParseError> {
        let Some((_, fixed)) = message.split_at_checked(HEADER_LEN) else {
            return Err(ParseError::Truncated { what: "SMB2 header" });
        };
        // An odd StructureSize counts the first byte of the variable part too. What is not the command's
        // StructureSize is refused by its parser.
        let size = fixed.first_chunk().map_or(0, |size| u16::from_le_bytes(*size) & !1);
        Ok(Self { message, floor: u64::from(len32(HEADER_LEN)) + u64::from(size) })
    }

    /// A structure that is not an SMB2 message but has offsets from its own first byte too (NTLM). None leads into the
    /// `header` bytes it begins with; 0 for a buffer that has no fixed part.
    pub(crate) fn over(structure: &'a [u8], header: usize) -> Self {
        Self { message: structure, floor: u64::from(len32(header)) }
    }

    /// The bytes behind the header: StructureSize first.
    pub fn fixed(&self) -> &'a [u8] {
        self.message.get(HEADER_LEN..).unwrap_or(&[])
    }

    /// The `len` bytes at `offset` from the header's first byte. An empty range is the empty slice
    /// wherever it points, as peers put anything into the offset of an absent field. A range that begins in the
    /// header or the fixed part is refused, as [MS-SMB2] 3.3.5.9 asks for the name of a CREATE: those bytes mean
    /// something else.
    pub fn slice_at(
        &self,
        what: &'static str,
        offset: impl Into<u64>,
        len: impl Into<u64>,
    ) -> Result<&'a [u8], ParseError> {
        let (offset, len) = (offset.into(), len.into());
        if len == 0 {
            return Ok(&[]);
        }
        let outside = ParseError::Bounds {
            what,
            offset,
            len,
            size: u64::try_from(self.message.len()).unwrap_or(u64::MAX),
        };
        if offset < self.floor {
            return Err(ParseError::Overlap { what, offset, fixed: self.floor });
        }
        let end = offset.checked_add(len).ok_or(outside)?;
        let (Ok(start), Ok(end)) = (usize::try_from(offset), usize::try_from(end)) else {
            return Err(outside);
        };
        self.message.get(start..end).ok_or(outside)
    }

    /// Everything from `offset` on, for lists that are counted instead of measured.
    pub(crate) fn slice_from(&self, what: &'static str, offset: u32) -> Result<&'a [u8], ParseError> {
        let size = u64::try_from(self.message.len()).unwrap_or(u64::MAX);
        self.slice_at(what, offset, size.saturating_sub(offset.into()).max(1))
    }
}

impl Body<'_> {
    /// Where `part`, a slice that this body handed out, lies in the message: lets a driver hand on the
    /// received buffer itself, narrowed to a payload, instead of a copy. `None` for a foreign slice.
    pub fn range_of(&self, part: &[u8]) -> Option<Range<usize>> {
        if part.is_empty() {
            return Some(0..0);
        }
        let start = part.as_ptr().addr().checked_sub(self.message.as_ptr().addr())?;
        let end = start.checked_add(part.len())?;
        (end <= self.message.len()).then_some(start..end)
    }
}
