//! SMB2 QUERY_DIRECTORY — [MS-SMB2] 2.2.33, 2.2.34.

use crate::{
    codec::{
        Body, Message,
        message::variable_offset,
        num::{fixed, le_u8, le_u16, le_u32, len16, structure_size},
        utf16,
    },
    command::{Command, wire_flags},
    error::ParseError,
    fscc::FileInformationClass,
    msg::types::FileId,
};
use bytes::BufMut;

wire_flags! {
    /// Flags of a QUERY_DIRECTORY request.
    QueryDirectoryFlags: u8 {
        /// SMB2_RESTART_SCANS: from the beginning.
        RESTART_SCANS = 0x01,
        /// SMB2_RETURN_SINGLE_ENTRY.
        RETURN_SINGLE_ENTRY = 0x02,
        /// SMB2_INDEX_SPECIFIED: from the file index.
        INDEX_SPECIFIED = 0x04,
        /// SMB2_REOPEN: from the beginning, with the pattern of this request.
        REOPEN = 0x10,
    }
}

/// SMB2 QUERY_DIRECTORY Request — [MS-SMB2] 2.2.33.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryDirectoryRequest {
    /// The kind of records wanted.
    pub class: FileInformationClass,
    /// Where to begin.
    pub flags: QueryDirectoryFlags,
    /// The file index to begin at, where the flags say so.
    pub file_index: u32,
    /// The open of the directory.
    pub file_id: FileId,
    /// The pattern, with the wildcards of [MS-FSA] 2.1.4.4.
    pub pattern: String,
    /// The most bytes of records wanted.
    pub output_len: u32,
}

const REQUEST_FIXED: usize = 32;

impl<'a> Message<'a> for QueryDirectoryRequest {
    const COMMAND: Command = Command::QUERY_DIRECTORY;

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "QUERY_DIRECTORY request";
        let parser = (le_u16, le_u8, le_u8, le_u32, FileId::parse, le_u16, le_u16, le_u32);
        let (_, (size, class, flags, file_index, file_id, name_at, name_len, output_len)) =
            fixed(WHAT, body.fixed(), parser)?;
        structure_size(WHAT, 33, size)?;
        Ok(Self {
            class: FileInformationClass(class),
            flags: QueryDirectoryFlags(flags),
            file_index,
            file_id,
            pattern: utf16::decode("search pattern", body.slice_at("search pattern", name_at, name_len)?)?,
            output_len,
        })
    }

    fn wire_len(&self) -> usize {
        REQUEST_FIXED + utf16::encoded_len(&self.pattern).max(1)
    }

    fn emit(&self, out: &mut impl BufMut) {
        let len = utf16::encoded_len(&self.pattern);
        out.put_u16_le(33);
        out.put_u8(self.class.0);
        out.put_u8(self.flags.0);
        out.put_u32_le(self.file_index);
        self.file_id.emit(out);
        out.put_u16_le(if len == 0 { 0 } else { len16(variable_offset(REQUEST_FIXED)) });
        out.put_u16_le(len16(len));
        out.put_u32_le(self.output_len);
        utf16::encode(&self.pattern, out);
        if len == 0 {
            out.put_u8(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::{Part, message_tests};
    use proptest::prelude::*;

    fn request() -> impl Strategy<Value = QueryDirectoryRequest> {
        (any::<(u8, u8, u32, u64, u64, u32)>(), "\\PC{0,12}").prop_map(|(head, pattern)| {
            QueryDirectoryRequest {
                class: FileInformationClass(head.0),
                flags: QueryDirectoryFlags(head.1),
                file_index: head.2,
                file_id: FileId { persistent: head.3, volatile: head.4 },
                pattern,
                output_len: head.5,
            }
        })
    }

    message_tests!(
        query_directory_request,
        QueryDirectoryRequest,
        request(),
        |m: &QueryDirectoryRequest| vec![Part::new((24, 2), (26, 2), utf16::to_bytes(&m.pattern))]
    );
}
