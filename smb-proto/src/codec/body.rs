//! Where (offset, length) pairs from the peer become bytes: nowhere else.

use crate::{error::ParseError, header::HEADER_LEN};
use std::ops::Range;

/// One SMB2 message after its header was read: the fixed part, and the bytes that offsets point into.
///
/// Offsets in SMB2 count from the first byte of the SMB2 header ([MS-SMB2] 2.2), so the header's bytes stay
/// part of what a body can see.
#[derive(Debug, Clone, Copy)]
pub struct Body<'a> {
    message: &'a [u8],
}

impl<'a> Body<'a> {
    /// The body of `message`, which begins at its SMB2 header and ends where the message ends (the end of
    /// the frame or the start of the next compounded message).
    pub fn new(message: &'a [u8]) -> Result<Self, ParseError> {
        if message.len() < HEADER_LEN {
            return Err(ParseError::Truncated { what: "SMB2 header" });
        }
        Ok(Self { message })
    }

    /// A structure that is not an SMB2 message but has offsets from its own first byte too (NTLM).
    pub(crate) const fn over(structure: &'a [u8]) -> Self {
        Self { message: structure }
    }

    /// The bytes behind the header: StructureSize first.
    pub fn fixed(&self) -> &'a [u8] {
        self.message.get(HEADER_LEN..).unwrap_or(&[])
    }

    /// The `len` bytes at `offset` from the header's first byte. An empty range is the empty slice
    /// wherever it points, as peers put anything into the offset of an absent field.
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
