//! The one trait all SMB2 message bodies implement.

use super::Body;
use crate::{command::Command, error::ParseError, header::HEADER_LEN};
use bytes::BufMut;

/// The body of one SMB2 request or response.
///
/// A body borrows bulk data (`READ`, `WRITE`) from the message it was parsed from; everything else is
/// owned. `emit` computes every StructureSize, offset and length itself.
pub trait Message<'a>: Sized {
    /// The command whose request or response this is.
    const COMMAND: Command;

    /// Reads the body. Trailing bytes behind the last part are ignored, as the specification asks.
    fn parse(body: &Body<'a>) -> Result<Self, ParseError>;

    /// The number of bytes [`emit`](Self::emit) writes.
    fn wire_len(&self) -> usize;

    /// Writes the body, to stand directly behind a 64-byte SMB2 header (offsets are computed for that).
    ///
    /// It cannot fail: what is longer than its length field can tell (65,535 bytes of a name, a token or a list's
    /// count, where the specification gives it 16 bits) has the largest length there is, and arrives as a part or not
    /// at all. Keeping to the limits is the caller's part.
    fn emit(&self, out: &mut impl BufMut);
}

/// Where the variable part of a body begins, from the header's first byte, given the size of its fixed
/// part.
pub(crate) const fn variable_offset(fixed: usize) -> usize {
    HEADER_LEN + fixed
}
