//! SMB2 IOCTL — [MS-SMB2] 2.2.31, 2.2.32.

use crate::{
    codec::{
        Body, Message,
        message::variable_offset,
        num::{fixed, le_u16, le_u32, len32, pad8, structure_size},
    },
    command::{Command, wire_enum},
    error::ParseError,
    msg::types::FileId,
};
use bytes::BufMut;

wire_enum! {
    /// CtlCode.
    CtlCode: u32 {
        /// FSCTL_DFS_GET_REFERRALS.
        DFS_GET_REFERRALS = 0x0006_0194,
        /// FSCTL_PIPE_PEEK.
        PIPE_PEEK = 0x0011_400c,
        /// FSCTL_PIPE_WAIT.
        PIPE_WAIT = 0x0011_0018,
        /// FSCTL_PIPE_TRANSCEIVE.
        PIPE_TRANSCEIVE = 0x0011_c017,
        /// FSCTL_SRV_COPYCHUNK.
        SRV_COPYCHUNK = 0x0014_40f2,
        /// FSCTL_SRV_ENUMERATE_SNAPSHOTS.
        SRV_ENUMERATE_SNAPSHOTS = 0x0014_4064,
        /// FSCTL_SRV_REQUEST_RESUME_KEY.
        SRV_REQUEST_RESUME_KEY = 0x0014_0078,
        /// FSCTL_SRV_READ_HASH.
        SRV_READ_HASH = 0x0014_41bb,
        /// FSCTL_SRV_COPYCHUNK_WRITE.
        SRV_COPYCHUNK_WRITE = 0x0014_80f2,
        /// FSCTL_LMR_REQUEST_RESILIENCY.
        LMR_REQUEST_RESILIENCY = 0x0014_01d4,
        /// FSCTL_QUERY_NETWORK_INTERFACE_INFO.
        QUERY_NETWORK_INTERFACE_INFO = 0x0014_01fc,
        /// FSCTL_VALIDATE_NEGOTIATE_INFO.
        VALIDATE_NEGOTIATE_INFO = 0x0014_0204,
        /// FSCTL_GET_REPARSE_POINT.
        GET_REPARSE_POINT = 0x0009_00a8,
        /// FSCTL_SET_REPARSE_POINT.
        SET_REPARSE_POINT = 0x0009_00a4,
        /// FSCTL_DELETE_REPARSE_POINT.
        DELETE_REPARSE_POINT = 0x0009_00ac,
        /// FSCTL_CREATE_OR_GET_OBJECT_ID.
        CREATE_OR_GET_OBJECT_ID = 0x0009_00c0,
        /// FSCTL_GET_COMPRESSION.
        GET_COMPRESSION = 0x0009_003c,
        /// FSCTL_SET_COMPRESSION.
        SET_COMPRESSION = 0x0009_c040,
        /// FSCTL_SET_SPARSE.
        SET_SPARSE = 0x0009_00c4,
        /// FSCTL_SET_ZERO_DATA.
        SET_ZERO_DATA = 0x0009_80c8,
        /// FSCTL_QUERY_ALLOCATED_RANGES.
        QUERY_ALLOCATED_RANGES = 0x0009_40cf,
        /// FSCTL_FILE_LEVEL_TRIM.
        FILE_LEVEL_TRIM = 0x0009_8208,
        /// FSCTL_OFFLOAD_READ.
        OFFLOAD_READ = 0x0009_4264,
        /// FSCTL_OFFLOAD_WRITE.
        OFFLOAD_WRITE = 0x0009_8268,
        /// FSCTL_GET_INTEGRITY_INFORMATION.
        GET_INTEGRITY_INFORMATION = 0x0009_027c,
        /// FSCTL_SET_INTEGRITY_INFORMATION.
        SET_INTEGRITY_INFORMATION = 0x0009_c280,
        /// FSCTL_DUPLICATE_EXTENTS_TO_FILE.
        DUPLICATE_EXTENTS_TO_FILE = 0x0009_8344,
        /// FSCTL_DUPLICATE_EXTENTS_TO_FILE_EX.
        DUPLICATE_EXTENTS_TO_FILE_EX = 0x0009_83e8,
        /// Ours: see [`StreamCommit`](crate::msg::fsctl::stream_commit::StreamCommit).
        STREAM_COMMIT = 0x0014_a400,
    }
}

const SMB2_0_IOCTL_IS_FSCTL: u32 = 1;
const REQUEST_FIXED: usize = 56;
const RESPONSE_FIXED: usize = 48;

/// SMB2 IOCTL Request — [MS-SMB2] 2.2.31. Requests carry input only; OutputCount is always zero in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IoctlRequest {
    /// What to do.
    pub ctl_code: CtlCode,
    /// The open, or [`FileId::ANY`] where none is needed.
    pub file_id: FileId,
    /// The input.
    pub input: Vec<u8>,
    /// The most input bytes wanted back.
    pub max_input_response: u32,
    /// The most output bytes wanted.
    pub max_output_response: u32,
    /// An FSCTL; servers refuse anything else.
    pub is_fsctl: bool,
}

impl<'a> Message<'a> for IoctlRequest {
    const COMMAND: Command = Command::IOCTL;

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "IOCTL request";
        let (rest, (size, _, ctl_code, file_id)) =
            fixed(WHAT, body.fixed(), (le_u16, le_u16, le_u32, FileId::parse))?;
        structure_size(WHAT, 57, size)?;
        let tail = (le_u32, le_u32, le_u32, le_u32, le_u32, le_u32, le_u32, le_u32);
        let (_, (input_at, input_len, max_input_response, _, _, max_output_response, flags, _)) =
            fixed(WHAT, rest, tail)?;
        Ok(Self {
            ctl_code: CtlCode(ctl_code),
            file_id,
            input: body.slice_at("IOCTL input", input_at, input_len)?.to_vec(),
            max_input_response,
            max_output_response,
            is_fsctl: flags & SMB2_0_IOCTL_IS_FSCTL != 0,
        })
    }

    fn wire_len(&self) -> usize {
        REQUEST_FIXED + self.input.len().max(1)
    }

    fn emit(&self, out: &mut impl BufMut) {
        out.put_u16_le(57);
        out.put_u16_le(0);
        out.put_u32_le(self.ctl_code.0);
        self.file_id.emit(out);
        out.put_u32_le(if self.input.is_empty() { 0 } else { len32(variable_offset(REQUEST_FIXED)) });
        out.put_u32_le(len32(self.input.len()));
        out.put_u32_le(self.max_input_response);
        out.put_u32_le(0);
        out.put_u32_le(0);
        out.put_u32_le(self.max_output_response);
        out.put_u32_le(self.is_fsctl.into());
        out.put_u32_le(0);
        out.put_slice(&self.input);
        if self.input.is_empty() {
            out.put_u8(0);
        }
    }
}

/// SMB2 IOCTL Response — [MS-SMB2] 2.2.32.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IoctlResponse {
    /// What was done.
    pub ctl_code: CtlCode,
    /// The open.
    pub file_id: FileId,
    /// Input sent back: empty but for pipes.
    pub input: Vec<u8>,
    /// The output.
    pub output: Vec<u8>,
}

impl<'a> Message<'a> for IoctlResponse {
    const COMMAND: Command = Command::IOCTL;

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "IOCTL response";
        let (rest, (size, _, ctl_code, file_id)) =
            fixed(WHAT, body.fixed(), (le_u16, le_u16, le_u32, FileId::parse))?;
        structure_size(WHAT, 49, size)?;
        let (_, (input_at, input_len, output_at, output_len, _flags, _)) =
            fixed(WHAT, rest, (le_u32, le_u32, le_u32, le_u32, le_u32, le_u32))?;
        Ok(Self {
            ctl_code: CtlCode(ctl_code),
            file_id,
            input: body.slice_at("IOCTL input", input_at, input_len)?.to_vec(),
            output: body.slice_at("IOCTL output", output_at, output_len)?.to_vec(),
        })
    }

    fn wire_len(&self) -> usize {
        RESPONSE_FIXED + self.input.len() + pad8(self.input.len()) + self.output.len()
    }

    fn emit(&self, out: &mut impl BufMut) {
        let output_at = RESPONSE_FIXED + self.input.len() + pad8(self.input.len());
        out.put_u16_le(49);
        out.put_u16_le(0);
        out.put_u32_le(self.ctl_code.0);
        self.file_id.emit(out);
        // Both offsets name the buffer even where it is empty, as Windows sends them.
        out.put_u32_le(len32(variable_offset(RESPONSE_FIXED)));
        out.put_u32_le(len32(self.input.len()));
        out.put_u32_le(len32(variable_offset(output_at)));
        out.put_u32_le(len32(self.output.len()));
        out.put_u32_le(0);
        out.put_u32_le(0);
        out.put_slice(&self.input);
        out.put_bytes(0, pad8(self.input.len()));
        out.put_slice(&self.output);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::{Part, message_tests};
    use proptest::prelude::*;

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..60)
    }

    fn request() -> impl Strategy<Value = IoctlRequest> {
        (any::<(u32, u64, u64, u32, u32, bool)>(), bytes()).prop_map(|(head, input)| IoctlRequest {
            ctl_code: CtlCode(head.0),
            file_id: FileId { persistent: head.1, volatile: head.2 },
            input,
            max_input_response: head.3,
            max_output_response: head.4,
            is_fsctl: head.5,
        })
    }

    /// A response whose input is not empty ends in its output, else the padding behind the input could be cut.
    fn response() -> impl Strategy<Value = IoctlResponse> {
        (any::<(u32, u64, u64)>(), bytes(), prop::collection::vec(any::<u8>(), 1..60)).prop_map(
            |(head, input, output)| IoctlResponse {
                ctl_code: CtlCode(head.0),
                file_id: FileId { persistent: head.1, volatile: head.2 },
                input,
                output,
            },
        )
    }

    message_tests!(ioctl_request, IoctlRequest, request(), |m: &IoctlRequest| vec![Part::new(
        (24, 4),
        (28, 4),
        m.input.clone()
    )]);
    message_tests!(ioctl_response, IoctlResponse, response(), |m: &IoctlResponse| vec![
        Part::new((24, 4), (28, 4), m.input.clone()),
        Part::new((32, 4), (36, 4), m.output.clone()),
    ]);
}
