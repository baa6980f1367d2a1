//! SMB2 READ — [MS-SMB2] 2.2.19, 2.2.20.

use super::channel::Channel;
use crate::{
    codec::{
        Body, Message,
        message::variable_offset,
        num::{fixed, le_u8, le_u16, le_u32, le_u64, len16, len32, structure_size},
    },
    command::{Command, wire_flags},
    error::ParseError,
    msg::types::FileId,
};
use bytes::BufMut;

wire_flags! {
    /// Flags of a READ request.
    ReadFlags: u8 {
        /// SMB2_READFLAG_READ_UNBUFFERED (3.0.2).
        UNBUFFERED = 0x01,
        /// SMB2_READFLAG_REQUEST_COMPRESSED (3.1.1).
        REQUEST_COMPRESSED = 0x02,
    }
}

/// SMB2 READ Request — [MS-SMB2] 2.2.19.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadRequest {
    /// Where the client would like the data to lie in the response, from the header's first byte. A hint.
    pub padding: u8,
    /// Flags.
    pub flags: ReadFlags,
    /// Bytes to read.
    pub length: u32,
    /// Where from, in bytes.
    pub offset: u64,
    /// The open.
    pub file_id: FileId,
    /// Fewer bytes than this are an error: STATUS_END_OF_FILE.
    pub minimum_count: u32,
    /// How the data is to travel.
    pub channel: Channel,
    /// Bytes of the caller's larger read that follow. A hint.
    pub remaining_bytes: u32,
}

const REQUEST_FIXED: usize = 48;
const RESPONSE_FIXED: usize = 16;

impl<'a> Message<'a> for ReadRequest {
    const COMMAND: Command = Command::READ;

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "READ request";
        let head = (le_u16, le_u8, le_u8, le_u32, le_u64, FileId::parse);
        let (rest, (size, padding, flags, length, offset, file_id)) = fixed(WHAT, body.fixed(), head)?;
        structure_size(WHAT, 49, size)?;
        let (_, (minimum_count, channel, remaining_bytes, info_at, info_len)) =
            fixed(WHAT, rest, (le_u32, le_u32, le_u32, le_u16, le_u16))?;
        let channel = Channel::parse(body, channel, info_at, info_len)?;
        let flags = ReadFlags(flags);
        Ok(Self { padding, flags, length, offset, file_id, minimum_count, channel, remaining_bytes })
    }

    fn wire_len(&self) -> usize {
        // At least one byte follows the fixed part.
        REQUEST_FIXED + self.channel.info_len().max(1)
    }

    fn emit(&self, out: &mut impl BufMut) {
        let info_len = self.channel.info_len();
        out.put_u16_le(49);
        out.put_u8(self.padding);
        out.put_u8(self.flags.0);
        out.put_u32_le(self.length);
        out.put_u64_le(self.offset);
        self.file_id.emit(out);
        out.put_u32_le(self.minimum_count);
        out.put_u32_le(self.channel.kind());
        out.put_u32_le(self.remaining_bytes);
        out.put_u16_le(if info_len == 0 { 0 } else { len16(variable_offset(REQUEST_FIXED)) });
        out.put_u16_le(len16(info_len));
        self.channel.emit_info(out);
        if info_len == 0 {
            out.put_u8(0);
        }
    }
}

/// SMB2 READ Response — [MS-SMB2] 2.2.20.
///
/// Data that travels by RDMA is not in the response: `data` is empty and `remaining` tells how much was placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadResponse<'a> {
    /// The data, in the message.
    pub data: &'a [u8],
    /// Bytes that travelled by RDMA.
    pub remaining: u32,
    /// SMB2_READFLAG_RESPONSE_RDMA_TRANSFORM and what may follow; 3.1.1 only.
    pub flags: u32,
}

impl ReadResponse<'_> {
    /// Bytes from the header's first byte to the data, where [`emit`](Message::emit) puts it.
    pub const DATA_OFFSET: u8 = 80;

    /// Writes the fixed part of a response whose `len` bytes of data the caller puts behind it.
    pub fn emit_head(len: u32, remaining: u32, flags: u32, out: &mut impl BufMut) {
        out.put_u16_le(17);
        out.put_u8(Self::DATA_OFFSET);
        out.put_u8(0);
        out.put_u32_le(len);
        out.put_u32_le(remaining);
        out.put_u32_le(flags);
    }
}

impl<'a> Message<'a> for ReadResponse<'a> {
    const COMMAND: Command = Command::READ;

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "READ response";
        let (_, (size, offset, _, len, remaining, flags)) =
            fixed(WHAT, body.fixed(), (le_u16, le_u8, le_u8, le_u32, le_u32, le_u32))?;
        structure_size(WHAT, 17, size)?;
        Ok(Self { data: body.slice_at("READ data", offset, len)?, remaining, flags })
    }

    fn wire_len(&self) -> usize {
        RESPONSE_FIXED + self.data.len()
    }

    fn emit(&self, out: &mut impl BufMut) {
        Self::emit_head(len32(self.data.len()), self.remaining, self.flags, out);
        out.put_slice(self.data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        codec::testing::{Part, message_tests},
        msg::channel::tests::{channel, info},
    };
    use proptest::prelude::*;

    fn request() -> impl Strategy<Value = ReadRequest> {
        (any::<(u8, u8, u32, u64, u64, u64, u32, u32)>(), channel()).prop_map(|(head, channel)| ReadRequest {
            padding: head.0,
            flags: ReadFlags(head.1),
            length: head.2,
            offset: head.3,
            file_id: FileId { persistent: head.4, volatile: head.5 },
            minimum_count: head.6,
            channel,
            remaining_bytes: head.7,
        })
    }

    fn response() -> impl Strategy<Value = ReadResponse<'static>> {
        (prop::collection::vec(any::<u8>(), 0..200), any::<(u32, u32)>())
            .prop_map(|(data, (remaining, flags))| ReadResponse { data: data.leak(), remaining, flags })
    }

    message_tests!(read_request, ReadRequest, request(), |m: &ReadRequest| vec![Part::new(
        (44, 2),
        (46, 2),
        info(&m.channel)
    )]);
    message_tests!(read_response, ReadResponse<'_>, response(), |m: &ReadResponse<'_>| vec![Part::new(
        (2, 1),
        (4, 4),
        m.data
    )]);
}
