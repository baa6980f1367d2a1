//! Offloaded copies, integrity and resiliency — [MS-FSCC] 2.3; [MS-SMB2] 2.2.31.3.

use crate::{
    codec::{
        field::plain_buffer,
        num::{Parsed, array, fixed, le_u32, le_u64},
    },
    error::ParseError,
};
use bytes::BufMut;

/// STORAGE_OFFLOAD_TOKEN — [MS-FSCC] 2.3: what stands for the data. Opaque to all but its issuer.
pub type OffloadToken = [u8; 512];

fn check_size(what: &'static str, expected: u32, found: u32) -> Result<(), ParseError> {
    if found == expected { Ok(()) } else { Err(ParseError::StructureSize { what, expected, found }) }
}

/// FSCTL_OFFLOAD_READ_INPUT — [MS-FSCC] 2.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffloadReadInput {
    /// Flags; none are defined.
    pub flags: u32,
    /// Milliseconds the token is to live; 0 leaves it to the server.
    pub token_time_to_live: u32,
    /// Where the data begins, in bytes.
    pub file_offset: u64,
    /// Bytes of it.
    pub copy_length: u64,
}

impl OffloadReadInput {
    /// Reads the IOCTL's input.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "OFFLOAD_READ_INPUT";
        let parts = (le_u32, le_u32, le_u32, le_u32, le_u64, le_u64);
        let (_, (size, flags, token_time_to_live, _, file_offset, copy_length)) = fixed(WHAT, input, parts)?;
        check_size(WHAT, 32, size)?;
        Ok(Self { flags, token_time_to_live, file_offset, copy_length })
    }

    /// The IOCTL's input.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32);
        out.put_u32_le(32);
        out.put_u32_le(self.flags);
        out.put_u32_le(self.token_time_to_live);
        out.put_u32_le(0);
        out.put_u64_le(self.file_offset);
        out.put_u64_le(self.copy_length);
        out
    }
}

/// FSCTL_OFFLOAD_READ_OUTPUT — [MS-FSCC] 2.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffloadReadOutput {
    /// OFFLOAD_READ_FLAG_ALL_ZERO_BEYOND_CURRENT_RANGE is 1.
    pub flags: u32,
    /// Bytes the token stands for.
    pub transfer_length: u64,
    /// The token.
    pub token: OffloadToken,
}

impl OffloadReadOutput {
    const SIZE: u32 = 528;

    /// Reads the IOCTL's output.
    pub fn parse(output: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "OFFLOAD_READ_OUTPUT";
        let (_, (size, flags, transfer_length, token)) =
            fixed(WHAT, output, (le_u32, le_u32, le_u64, array::<512>))?;
        check_size(WHAT, Self::SIZE, size)?;
        Ok(Self { flags, transfer_length, token })
    }

    /// The IOCTL's output.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(528);
        out.put_u32_le(Self::SIZE);
        out.put_u32_le(self.flags);
        out.put_u64_le(self.transfer_length);
        out.put_slice(&self.token);
        out
    }
}

/// FSCTL_OFFLOAD_WRITE_INPUT — [MS-FSCC] 2.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffloadWriteInput {
    /// Flags; none are defined.
    pub flags: u32,
    /// Where the data goes, in bytes.
    pub file_offset: u64,
    /// Bytes to write.
    pub copy_length: u64,
    /// Where in the token's data they begin.
    pub transfer_offset: u64,
    /// The token.
    pub token: OffloadToken,
}

type OffloadWriteFields = (u32, u32, u64, u64, u64, OffloadToken);

impl OffloadWriteInput {
    const SIZE: u32 = 544;

    fn read(i: &[u8]) -> Parsed<'_, OffloadWriteFields> {
        nom::Parser::parse(&mut (le_u32, le_u32, le_u64, le_u64, le_u64, array::<512>), i)
    }

    /// Reads the IOCTL's input.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "OFFLOAD_WRITE_INPUT";
        let (_, (size, flags, file_offset, copy_length, transfer_offset, token)) =
            fixed(WHAT, input, Self::read)?;
        check_size(WHAT, Self::SIZE, size)?;
        Ok(Self { flags, file_offset, copy_length, transfer_offset, token })
    }

    /// The IOCTL's input.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(544);
        out.put_u32_le(Self::SIZE);
        out.put_u32_le(self.flags);
        out.put_u64_le(self.file_offset);
        out.put_u64_le(self.copy_length);
        out.put_u64_le(self.transfer_offset);
        out.put_slice(&self.token);
        out
    }
}

/// FSCTL_OFFLOAD_WRITE_OUTPUT — [MS-FSCC] 2.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffloadWriteOutput {
    /// Flags; none are defined.
    pub flags: u32,
    /// Bytes written.
    pub length_written: u64,
}

impl OffloadWriteOutput {
    /// Reads the IOCTL's output.
    pub fn parse(output: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "OFFLOAD_WRITE_OUTPUT";
        let (_, (size, flags, length_written)) = fixed(WHAT, output, (le_u32, le_u32, le_u64))?;
        check_size(WHAT, 16, size)?;
        Ok(Self { flags, length_written })
    }

    /// The IOCTL's output.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16);
        out.put_u32_le(16);
        out.put_u32_le(self.flags);
        out.put_u64_le(self.length_written);
        out
    }
}

plain_buffer! {
    /// FSCTL_GET_INTEGRITY_INFORMATION_BUFFER — [MS-FSCC] 2.3.
    IntegrityInformation {
        /// CHECKSUM_TYPE_*: 0 none, 1 CRC32 (ReFS v2), 2 CRC64.
        checksum_algorithm: u16, pad 2;
        /// FSCTL_INTEGRITY_FLAG_CHECKSUM_ENFORCEMENT_OFF is 1.
        flags: u32;
        /// Bytes each checksum covers.
        checksum_chunk_size: u32;
        /// Bytes of a cluster.
        cluster_size: u32;
    }
}

plain_buffer! {
    /// FSCTL_SET_INTEGRITY_INFORMATION_BUFFER — [MS-FSCC] 2.3.
    SetIntegrityInformation {
        /// CHECKSUM_TYPE_*: 0 none, 1 CRC32 (ReFS v2), 2 CRC64; 0xFFFF leaves it.
        checksum_algorithm: u16, pad 2;
        /// FSCTL_INTEGRITY_FLAG_CHECKSUM_ENFORCEMENT_OFF is 1.
        flags: u32;
    }
}

plain_buffer! {
    /// FSCTL_LMR_REQUEST_RESILIENCY: NETWORK_RESILIENCY_REQUEST — [MS-SMB2] 2.2.31.3.
    ResiliencyRequest {
        /// Milliseconds the open is to outlive its connection; 0 leaves it to the server.
        timeout: u32, pad 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::testing::{check_buffer, hex};

    #[test]
    fn offloaded_copies() {
        let token = [0xab; 512];
        let long = |head: &str| [hex(head), token.to_vec()].concat();
        check_buffer!(
            OffloadReadInput,
            OffloadReadInput { flags: 0, token_time_to_live: 5, file_offset: 1, copy_length: 2 },
            hex("20000000 00000000 05000000 00000000 0100000000000000 0200000000000000")
        );
        check_buffer!(
            OffloadReadOutput,
            OffloadReadOutput { flags: 1, transfer_length: 2, token },
            long("10020000 01000000 0200000000000000")
        );
        check_buffer!(
            OffloadWriteInput,
            OffloadWriteInput { flags: 0, file_offset: 1, copy_length: 2, transfer_offset: 3, token },
            long("20020000 00000000 0100000000000000 0200000000000000 0300000000000000")
        );
        check_buffer!(
            OffloadWriteOutput,
            OffloadWriteOutput { flags: 0, length_written: 2 },
            hex("10000000 00000000 0200000000000000")
        );
        assert!(OffloadReadInput::parse(&[0; 32]).is_err());
    }

    #[test]
    fn integrity_and_resiliency() {
        check_buffer!(
            IntegrityInformation,
            IntegrityInformation {
                checksum_algorithm: 2,
                flags: 1,
                checksum_chunk_size: 4096,
                cluster_size: 4096
            },
            hex("0200 0000 01000000 00100000 00100000")
        );
        check_buffer!(
            SetIntegrityInformation,
            SetIntegrityInformation { checksum_algorithm: 0xffff, flags: 1 },
            hex("ffff 0000 01000000")
        );
        check_buffer!(ResiliencyRequest, ResiliencyRequest { timeout: 1000 }, hex("e8030000 00000000"));
    }
}
