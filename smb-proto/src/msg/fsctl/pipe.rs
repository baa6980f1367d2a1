//! Named pipes: FSCTL_PIPE_WAIT, FSCTL_PIPE_PEEK — [MS-FSCC] 2.3. FSCTL_PIPE_TRANSCEIVE carries the pipe's own
//! messages, nothing of ours.

use crate::{
    codec::{
        num::{fixed, le_u8, le_u32, le_u64, len32, size, take},
        utf16,
    },
    error::ParseError,
};
use bytes::BufMut;

/// FSCTL_PIPE_WAIT Request — [MS-FSCC] 2.3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipeWait {
    /// The longest wait, in units of 100 ns; `None` for the pipe's own time-out.
    pub timeout: Option<u64>,
    /// The pipe, without a leading `\`.
    pub name: String,
}

impl PipeWait {
    /// Reads the IOCTL's input.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "FSCTL_PIPE_WAIT";
        let (rest, (timeout, len, specified, _)) = fixed(WHAT, input, (le_u64, le_u32, le_u8, le_u8))?;
        let (_, name) = fixed(WHAT, rest, take(size(len)))?;
        Ok(Self { timeout: (specified != 0).then_some(timeout), name: utf16::decode(WHAT, name)? })
    }

    /// The IOCTL's input.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_u64_le(self.timeout.unwrap_or(0));
        out.put_u32_le(len32(utf16::encoded_len(&self.name)));
        out.put_u8(self.timeout.is_some().into());
        out.put_u8(0);
        utf16::encode(&self.name, &mut out);
        out
    }
}

/// FSCTL_PIPE_PEEK Reply — [MS-FSCC] 2.3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipePeek {
    /// FILE_PIPE_*_STATE: 3 is connected.
    pub state: u32,
    /// Bytes that can be read.
    pub read_data_available: u32,
    /// Messages that can be read.
    pub number_of_messages: u32,
    /// Bytes of the first message.
    pub message_length: u32,
    /// What can be read, as far as it was asked for.
    pub data: Vec<u8>,
}

impl PipePeek {
    /// Reads the IOCTL's output.
    pub fn parse(output: &[u8]) -> Result<Self, ParseError> {
        let (rest, (state, read_data_available, number_of_messages, message_length)) =
            fixed("FSCTL_PIPE_PEEK", output, (le_u32, le_u32, le_u32, le_u32))?;
        Ok(Self { state, read_data_available, number_of_messages, message_length, data: rest.to_vec() })
    }

    /// The IOCTL's output.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + self.data.len());
        for number in [self.state, self.read_data_available, self.number_of_messages, self.message_length] {
            out.put_u32_le(number);
        }
        out.put_slice(&self.data);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::testing::{check_buffer, hex};

    #[test]
    fn wait_and_peek() {
        let wait = PipeWait { timeout: Some(9), name: "ab".into() };
        check_buffer!(PipeWait, wait, hex("0900000000000000 04000000 01 00 6100 6200"));
        let wait = PipeWait { timeout: None, name: "a".into() };
        check_buffer!(PipeWait, wait, hex("0000000000000000 02000000 00 00 6100"));
        let peek = PipePeek {
            state: 3,
            read_data_available: 2,
            number_of_messages: 1,
            message_length: 2,
            data: Vec::new(),
        };
        check_buffer!(PipePeek, peek, hex("03000000 02000000 01000000 02000000"));
    }
}
