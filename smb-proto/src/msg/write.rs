//! SMB2 WRITE — [MS-SMB2] 2.2.21, 2.2.22.

use super::channel::Channel;
use crate::{
    codec::{
        Body, Message,
        message::variable_offset,
        num::{fixed, le_u16, le_u32, le_u64, len16, len32, structure_size},
    },
    command::{Command, wire_flags},
    error::ParseError,
    msg::types::FileId,
};
use bytes::BufMut;

wire_flags! {
    /// Flags of a WRITE request.
    WriteFlags: u32 {
        /// SMB2_WRITEFLAG_WRITE_THROUGH.
        WRITE_THROUGH = 0x0000_0001,
        /// SMB2_WRITEFLAG_WRITE_UNBUFFERED (3.0.2).
        WRITE_UNBUFFERED = 0x0000_0002,
    }
}

/// SMB2 WRITE Request — [MS-SMB2] 2.2.21.
///
/// Data that travels by RDMA is not in the request: `data` is empty and `remaining_bytes` tells how much the
/// server shall fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteRequest<'a> {
    /// Where to, in bytes.
    pub offset: u64,
    /// The open.
    pub file_id: FileId,
    /// How the data travels.
    pub channel: Channel,
    /// With an RDMA channel the bytes to fetch; else a hint at the bytes of a larger write that follow.
    pub remaining_bytes: u32,
    /// Flags.
    pub flags: WriteFlags,
    /// The data, in the message.
    pub data: &'a [u8],
}

const REQUEST_FIXED: usize = 48;
const RESPONSE_FIXED: usize = 16;

impl WriteRequest<'_> {
    /// Writes all of the request but its data, whose `len` bytes the caller puts behind it. The
    /// struct's own `data` is not looked at.
    pub fn emit_head(&self, len: u32, out: &mut impl BufMut) {
        let info_len = self.channel.info_len();
        // Data that travels by RDMA has no place in the message: 3.2.4.7.
        let data_at = if len == 0 && info_len > 0 { 0 } else { variable_offset(REQUEST_FIXED + info_len) };
        out.put_u16_le(49);
        out.put_u16_le(len16(data_at));
        out.put_u32_le(len);
        out.put_u64_le(self.offset);
        self.file_id.emit(out);
        out.put_u32_le(self.channel.kind());
        out.put_u32_le(self.remaining_bytes);
        out.put_u16_le(if info_len == 0 { 0 } else { len16(variable_offset(REQUEST_FIXED)) });
        out.put_u16_le(len16(info_len));
        out.put_u32_le(self.flags.0);
        self.channel.emit_info(out);
    }
}

impl<'a> Message<'a> for WriteRequest<'a> {
    const COMMAND: Command = Command::WRITE;

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "WRITE request";
        let head = (le_u16, le_u16, le_u32, le_u64, FileId::parse);
        let (rest, (size, data_at, len, offset, file_id)) = fixed(WHAT, body.fixed(), head)?;
        structure_size(WHAT, 49, size)?;
        let (_, (channel, remaining_bytes, info_at, info_len, flags)) =
            fixed(WHAT, rest, (le_u32, le_u32, le_u16, le_u16, le_u32))?;
        Ok(Self {
            offset,
            file_id,
            channel: Channel::parse(body, channel, info_at, info_len)?,
            remaining_bytes,
            flags: WriteFlags(flags),
            data: body.slice_at("WRITE data", data_at, len)?,
        })
    }

    fn wire_len(&self) -> usize {
        (REQUEST_FIXED + self.channel.info_len() + self.data.len()).max(REQUEST_FIXED + 1)
    }

    fn emit(&self, out: &mut impl BufMut) {
        self.emit_head(len32(self.data.len()), out);
        out.put_slice(self.data);
        if self.data.is_empty() && self.channel.info_len() == 0 {
            out.put_u8(0);
        }
    }
}

/// SMB2 WRITE Response — [MS-SMB2] 2.2.22.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteResponse {
    /// Bytes written.
    pub count: u32,
}

impl<'a> Message<'a> for WriteResponse {
    const COMMAND: Command = Command::WRITE;

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "WRITE response";
        let (_, (size, _, count, _remaining, _info_at, _info_len)) =
            fixed(WHAT, body.fixed(), (le_u16, le_u16, le_u32, le_u32, le_u16, le_u16))?;
        structure_size(WHAT, 17, size)?;
        Ok(Self { count })
    }

    fn wire_len(&self) -> usize {
        RESPONSE_FIXED
    }

    fn emit(&self, out: &mut impl BufMut) {
        out.put_u16_le(17);
        out.put_u16_le(0);
        out.put_u32_le(self.count);
        out.put_u64_le(0);
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

    fn request() -> impl Strategy<Value = WriteRequest<'static>> {
        let data = prop::collection::vec(any::<u8>(), 0..200);
        (any::<(u64, u64, u64, u32, u32)>(), channel(), data).prop_map(|(head, channel, data)| WriteRequest {
            offset: head.0,
            file_id: FileId { persistent: head.1, volatile: head.2 },
            channel,
            remaining_bytes: head.3,
            flags: WriteFlags(head.4),
            data: data.leak(),
        })
    }

    message_tests!(write_request, WriteRequest<'_>, request(), |m: &WriteRequest<'_>| vec![
        Part::new((2, 2), (4, 4), m.data),
        Part::new((40, 2), (42, 2), info(&m.channel)),
    ]);
    message_tests!(write_response, WriteResponse, any::<u32>().prop_map(|count| WriteResponse { count }));
}
