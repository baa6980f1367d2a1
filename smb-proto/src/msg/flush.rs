//! SMB2 FLUSH Request — [MS-SMB2] 2.2.17. The response is [`FlushResponse`](super::FlushResponse).

use crate::{
    codec::{
        Body, Message,
        num::{fixed, le_u16, le_u32, structure_size},
    },
    command::Command,
    error::ParseError,
    msg::types::FileId,
};
use bytes::BufMut;

/// SMB2 FLUSH Request — [MS-SMB2] 2.2.17.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlushRequest {
    /// The open whose data is to be made durable.
    pub file_id: FileId,
}

impl<'a> Message<'a> for FlushRequest {
    const COMMAND: Command = Command::FLUSH;

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "FLUSH request";
        let (_, (size, _, _, file_id)) = fixed(WHAT, body.fixed(), (le_u16, le_u16, le_u32, FileId::parse))?;
        structure_size(WHAT, 24, size)?;
        Ok(Self { file_id })
    }

    fn wire_len(&self) -> usize {
        24
    }

    fn emit(&self, out: &mut impl BufMut) {
        out.put_u16_le(24);
        out.put_u16_le(0);
        out.put_u32_le(0);
        self.file_id.emit(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::message_tests;
    use proptest::prelude::*;

    message_tests!(
        flush_request,
        FlushRequest,
        any::<(u64, u64)>()
            .prop_map(|(persistent, volatile)| FlushRequest { file_id: FileId { persistent, volatile } })
    );
}
