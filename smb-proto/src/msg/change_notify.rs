//! SMB2 CHANGE_NOTIFY — [MS-SMB2] 2.2.35; the response is beside that of QUERY_INFO, which has the same form.

use crate::{
    codec::{
        Body, Message,
        num::{fixed, le_u16, le_u32, structure_size},
    },
    command::{Command, wire_flags},
    error::ParseError,
    msg::types::FileId,
};
use bytes::BufMut;

wire_flags! {
    /// CompletionFilter: the changes to wait for.
    NotifyFilter: u32 {
        /// FILE_NOTIFY_CHANGE_FILE_NAME.
        FILE_NAME = 0x0000_0001,
        /// FILE_NOTIFY_CHANGE_DIR_NAME.
        DIR_NAME = 0x0000_0002,
        /// FILE_NOTIFY_CHANGE_ATTRIBUTES.
        ATTRIBUTES = 0x0000_0004,
        /// FILE_NOTIFY_CHANGE_SIZE.
        SIZE = 0x0000_0008,
        /// FILE_NOTIFY_CHANGE_LAST_WRITE.
        LAST_WRITE = 0x0000_0010,
        /// FILE_NOTIFY_CHANGE_LAST_ACCESS.
        LAST_ACCESS = 0x0000_0020,
        /// FILE_NOTIFY_CHANGE_CREATION.
        CREATION = 0x0000_0040,
        /// FILE_NOTIFY_CHANGE_EA.
        EA = 0x0000_0080,
        /// FILE_NOTIFY_CHANGE_SECURITY.
        SECURITY = 0x0000_0100,
        /// FILE_NOTIFY_CHANGE_STREAM_NAME.
        STREAM_NAME = 0x0000_0200,
        /// FILE_NOTIFY_CHANGE_STREAM_SIZE.
        STREAM_SIZE = 0x0000_0400,
        /// FILE_NOTIFY_CHANGE_STREAM_WRITE.
        STREAM_WRITE = 0x0000_0800,
    }
}

/// SMB2 CHANGE_NOTIFY Request — [MS-SMB2] 2.2.35.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeNotifyRequest {
    /// SMB2_WATCH_TREE: directories below, too.
    pub watch_tree: bool,
    /// The most bytes of records wanted.
    pub output_len: u32,
    /// The open of the directory.
    pub file_id: FileId,
    /// The changes to wait for.
    pub filter: NotifyFilter,
}

const WATCH_TREE: u16 = 1;

impl<'a> Message<'a> for ChangeNotifyRequest {
    const COMMAND: Command = Command::CHANGE_NOTIFY;

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "CHANGE_NOTIFY request";
        let (_, (size, flags, output_len, file_id, filter, _)) =
            fixed(WHAT, body.fixed(), (le_u16, le_u16, le_u32, FileId::parse, le_u32, le_u32))?;
        structure_size(WHAT, 32, size)?;
        let filter = NotifyFilter(filter);
        Ok(Self { watch_tree: flags & WATCH_TREE != 0, output_len, file_id, filter })
    }

    fn wire_len(&self) -> usize {
        32
    }

    fn emit(&self, out: &mut impl BufMut) {
        out.put_u16_le(32);
        out.put_u16_le(if self.watch_tree { WATCH_TREE } else { 0 });
        out.put_u32_le(self.output_len);
        self.file_id.emit(out);
        out.put_u32_le(self.filter.0);
        out.put_u32_le(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::message_tests;
    use proptest::prelude::*;

    fn request() -> impl Strategy<Value = ChangeNotifyRequest> {
        any::<(bool, u32, u64, u64, u32)>().prop_map(
            |(watch_tree, output_len, persistent, volatile, filter)| ChangeNotifyRequest {
                watch_tree,
                output_len,
                file_id: FileId { persistent, volatile },
                filter: NotifyFilter(filter),
            },
        )
    }

    message_tests!(change_notify_request, ChangeNotifyRequest, request());
}
