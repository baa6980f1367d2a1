//! SMB2 ERROR Response — [MS-SMB2] 2.2.2.

use crate::{
    codec::{
        Body, Message,
        num::{fixed, le_u8, le_u16, le_u32, len32, size, structure_size, take},
    },
    command::Command,
    error::ParseError,
};
use bytes::BufMut;

/// SMB2 ERROR Response — [MS-SMB2] 2.2.2: what follows the header of any response that failed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ErrorResponse {
    /// How many error contexts `data` holds; 3.1.1 only, else zero.
    pub context_count: u8,
    /// What the status needs to be understood; empty for most.
    pub data: Vec<u8>,
}

const FIXED: usize = 8;

impl<'a> Message<'a> for ErrorResponse {
    /// An error answers any command; this is only a place-holder.
    const COMMAND: Command = Command(u16::MAX);

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "ERROR response";
        let (rest, (structure, context_count, _, len)) =
            fixed(WHAT, body.fixed(), (le_u16, le_u8, le_u8, le_u32))?;
        structure_size(WHAT, 9, structure)?;
        let (_, data) = fixed(WHAT, rest, take(size(len)))?;
        Ok(Self { context_count, data: data.to_vec() })
    }

    fn wire_len(&self) -> usize {
        FIXED + self.data.len().max(1)
    }

    fn emit(&self, out: &mut impl BufMut) {
        out.put_u16_le(9);
        out.put_u8(self.context_count);
        out.put_u8(0);
        out.put_u32_le(len32(self.data.len()));
        out.put_slice(&self.data);
        if self.data.is_empty() {
            out.put_u8(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::message_tests;
    use proptest::prelude::*;

    message_tests!(
        error_response,
        ErrorResponse,
        (any::<u8>(), prop::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(context_count, data)| ErrorResponse { context_count, data })
    );
}
