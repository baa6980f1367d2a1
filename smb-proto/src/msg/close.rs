//! SMB2 CLOSE — [MS-SMB2] 2.2.15, 2.2.16.

use crate::{
    codec::{
        Body, Message,
        num::{fixed, le_u16, le_u32, le_u64, structure_size},
    },
    command::{Command, wire_flags},
    error::ParseError,
    msg::types::{FileAttributes, FileId, FileTimes},
};
use bytes::BufMut;

wire_flags! {
    /// Flags of CLOSE.
    CloseFlags: u16 {
        /// SMB2_CLOSE_FLAG_POSTQUERY_ATTRIB: answer with the file's attributes, or they are there.
        POSTQUERY_ATTRIB = 0x0001,
    }
}

/// SMB2 CLOSE Request — [MS-SMB2] 2.2.15.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseRequest {
    /// Whether attributes are wanted.
    pub flags: CloseFlags,
    /// The open to end.
    pub file_id: FileId,
}

impl<'a> Message<'a> for CloseRequest {
    const COMMAND: Command = Command::CLOSE;

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "CLOSE request";
        let (_, (size, flags, _, file_id)) =
            fixed(WHAT, body.fixed(), (le_u16, le_u16, le_u32, FileId::parse))?;
        structure_size(WHAT, 24, size)?;
        Ok(Self { flags: CloseFlags(flags), file_id })
    }

    fn wire_len(&self) -> usize {
        24
    }

    fn emit(&self, out: &mut impl BufMut) {
        out.put_u16_le(24);
        out.put_u16_le(self.flags.0);
        out.put_u32_le(0);
        self.file_id.emit(out);
    }
}

/// SMB2 CLOSE Response — [MS-SMB2] 2.2.16. All but the flags is zero unless they were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CloseResponse {
    /// Whether the attributes are there.
    pub flags: CloseFlags,
    /// The file's times.
    pub times: FileTimes,
    /// Bytes the file occupies.
    pub allocation_size: u64,
    /// Bytes the file holds.
    pub end_of_file: u64,
    /// The file's attributes.
    pub file_attributes: FileAttributes,
}

impl<'a> Message<'a> for CloseResponse {
    const COMMAND: Command = Command::CLOSE;

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "CLOSE response";
        let parser = (le_u16, le_u16, le_u32, FileTimes::parse, le_u64, le_u64, le_u32);
        let (_, (size, flags, _, times, allocation_size, end_of_file, attributes)) =
            fixed(WHAT, body.fixed(), parser)?;
        structure_size(WHAT, 60, size)?;
        let file_attributes = FileAttributes(attributes);
        Ok(Self { flags: CloseFlags(flags), times, allocation_size, end_of_file, file_attributes })
    }

    fn wire_len(&self) -> usize {
        60
    }

    fn emit(&self, out: &mut impl BufMut) {
        out.put_u16_le(60);
        out.put_u16_le(self.flags.0);
        out.put_u32_le(0);
        self.times.emit(out);
        out.put_u64_le(self.allocation_size);
        out.put_u64_le(self.end_of_file);
        out.put_u32_le(self.file_attributes.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{codec::testing::message_tests, msg::testing::times};
    use proptest::prelude::*;

    fn request() -> impl Strategy<Value = CloseRequest> {
        any::<(u16, u64, u64)>().prop_map(|(flags, persistent, volatile)| CloseRequest {
            flags: CloseFlags(flags),
            file_id: FileId { persistent, volatile },
        })
    }

    fn response() -> impl Strategy<Value = CloseResponse> {
        any::<(u16, [u64; 4], u64, u64, u32)>().prop_map(
            |(flags, t, allocation_size, end_of_file, attributes)| CloseResponse {
                flags: CloseFlags(flags),
                times: times(t),
                allocation_size,
                end_of_file,
                file_attributes: FileAttributes(attributes),
            },
        )
    }

    message_tests!(close_request, CloseRequest, request());
    message_tests!(close_response, CloseResponse, response());
}
