//! The message everything but the negotiation goes in — [MS-SMBD] 2.2.3.

use super::fixed;
use bytes::BufMut;
use nom::number::complete::{le_u16, le_u32};
use smb_proto::error::ParseError;
use std::ops::Range;

/// Where we put the data: behind the fixed part, on the next multiple of eight.
pub const DATA_OFFSET: usize = 24;
/// Bytes of a message without data.
pub const EMPTY_LEN: usize = 20;
const WHAT: &str = "SMB Direct data transfer";

/// Flags of a Data Transfer message; unknown ones survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(pub u16);

impl Flags {
    /// None.
    pub const NONE: Self = Self(0);
    /// SMB_DIRECT_RESPONSE_REQUESTED: the receiver is to send something soon.
    pub const RESPONSE_REQUESTED: Self = Self(1);

    /// Whether all of `flags` are set.
    pub fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }
}

/// All of a Data Transfer message but its data — [MS-SMBD] 2.2.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataHeader {
    /// Send credits the sender would like to have in all.
    pub credits_requested: u16,
    /// Send credits the receiver has in addition from now on.
    pub credits_granted: u16,
    /// See [`Flags`].
    pub flags: Flags,
    /// Bytes of the upper-layer message that follow in further messages.
    pub remaining_data_length: u32,
}

impl DataHeader {
    /// Reads the header and says where the data lies in `message`. The length, the alignment and the bounds are
    /// checked as [MS-SMBD] 3.1.5.8 asks.
    pub fn parse(message: &[u8]) -> Result<(Self, Range<usize>), ParseError> {
        let numbers = (le_u16, le_u16, le_u16, le_u16, le_u32, le_u32, le_u32);
        let (credits_requested, credits_granted, flags, _, remaining_data_length, offset, len) =
            fixed(WHAT, message, numbers)?;
        let header = Self { credits_requested, credits_granted, flags: Flags(flags), remaining_data_length };
        if !offset.is_multiple_of(8) {
            return Err(ParseError::Value { what: "DataOffset", value: offset.into() });
        }
        Ok((header, Self::data(message, offset, len)?))
    }

    fn data(message: &[u8], offset: u32, len: u32) -> Result<Range<usize>, ParseError> {
        let outside = ParseError::Bounds {
            what: "SMB Direct data",
            offset: offset.into(),
            len: len.into(),
            size: u64::try_from(message.len()).unwrap_or(u64::MAX),
        };
        let (Ok(offset), Ok(len)) = (usize::try_from(offset), usize::try_from(len)) else {
            return Err(outside);
        };
        match offset.checked_add(len) {
            Some(end) if end <= message.len() => Ok(offset..end),
            _ => Err(outside),
        }
    }

    /// Writes the header of a message with `len` bytes of data: [`DATA_OFFSET`] bytes, or [`EMPTY_LEN`] where there are
    /// none. The data follows directly.
    pub fn emit(&self, len: u32, out: &mut impl BufMut) {
        out.put_u16_le(self.credits_requested);
        out.put_u16_le(self.credits_granted);
        out.put_u16_le(self.flags.0);
        out.put_u16_le(0);
        out.put_u32_le(self.remaining_data_length);
        out.put_u32_le(if len == 0 { 0 } else { 24 });
        out.put_u32_le(len);
        if len > 0 {
            out.put_u32_le(0);
        }
    }
}

/// Data Transfer message — [MS-SMBD] 2.2.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataTransfer<'a> {
    /// All but the data.
    pub header: DataHeader,
    /// A piece of the upper-layer message; empty where the message only manages credits.
    pub data: &'a [u8],
}

impl<'a> DataTransfer<'a> {
    /// Reads one; what follows it is ignored.
    pub fn parse(message: &'a [u8]) -> Result<Self, ParseError> {
        let (header, data) = DataHeader::parse(message)?;
        Ok(Self { header, data: message.get(data).unwrap_or(&[]) })
    }

    /// The number of bytes [`emit`](Self::emit) writes.
    pub fn wire_len(&self) -> usize {
        if self.data.is_empty() { EMPTY_LEN } else { DATA_OFFSET.saturating_add(self.data.len()) }
    }

    /// Writes the message.
    pub fn emit(&self, out: &mut impl BufMut) {
        self.header.emit(u32::try_from(self.data.len()).unwrap_or(u32::MAX), out);
        out.put_slice(self.data);
    }
}
