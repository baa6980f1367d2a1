//! Copying on the server: FSCTL_SRV_REQUEST_RESUME_KEY, FSCTL_SRV_COPYCHUNK and FSCTL_SRV_COPYCHUNK_WRITE —
//! [MS-SMB2] 2.2.31.1, 2.2.32.1, 2.2.32.3.

use crate::{
    codec::{
        field::{Field, plain_buffer, plain_structure},
        num::{array, count, fixed, le_u32, len32, size},
    },
    error::ParseError,
};
use bytes::BufMut;

/// Names an open to another one of the same session.
pub type ResumeKey = [u8; 24];

/// SRV_REQUEST_RESUME_KEY Response — [MS-SMB2] 2.2.32.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResumeKeyResponse {
    /// The key.
    pub key: ResumeKey,
}

impl ResumeKeyResponse {
    /// Reads the IOCTL's output. The context behind the key is not used, and not all servers send room for one.
    pub fn parse(output: &[u8]) -> Result<Self, ParseError> {
        let (_, key) = fixed("SRV_REQUEST_RESUME_KEY", output, array::<24>)?;
        Ok(Self { key })
    }

    /// The IOCTL's output: 32 bytes, as [MS-SMB2] 3.3.5.15.5 has it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.key.to_vec();
        out.put_bytes(0, 8);
        out
    }
}

plain_structure! {
    /// SRV_COPYCHUNK — [MS-SMB2] 2.2.31.1.1.
    CopyChunk {
        /// Where to copy from, in bytes.
        source_offset: u64;
        /// Where to copy to, in bytes.
        target_offset: u64;
        /// Bytes to copy.
        length: u32, pad 4;
    }
}

/// SRV_COPYCHUNK_COPY — [MS-SMB2] 2.2.31.1: the input of FSCTL_SRV_COPYCHUNK and FSCTL_SRV_COPYCHUNK_WRITE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyChunkRequest {
    /// The source. The target is the open of the IOCTL.
    pub source_key: ResumeKey,
    /// What to copy, in order.
    pub chunks: Vec<CopyChunk>,
}

const WHAT: &str = "SRV_COPYCHUNK_COPY";
/// Bytes of one chunk on the wire.
const CHUNK: usize = 24;

impl CopyChunkRequest {
    /// Reads the IOCTL's input.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        let (rest, (source_key, chunks, _)) = fixed(WHAT, input, (array::<24>, le_u32, le_u32))?;
        if size(chunks) > rest.len() / CHUNK {
            return Err(ParseError::Truncated { what: WHAT });
        }
        let (_, chunks) = fixed(WHAT, rest, count(CopyChunk::read, size(chunks)))?;
        Ok(Self { source_key, chunks })
    }

    /// The IOCTL's input.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32 + CHUNK * self.chunks.len());
        out.put_slice(&self.source_key);
        out.put_u32_le(len32(self.chunks.len()));
        out.put_u32_le(0);
        self.chunks.iter().for_each(|chunk| chunk.write(&mut out));
        out
    }
}

plain_buffer! {
    /// SRV_COPYCHUNK_RESPONSE — [MS-SMB2] 2.2.32.1. With STATUS_INVALID_PARAMETER the fields are the server's limits: chunks,
    /// bytes of a chunk, bytes in all.
    CopyChunkResponse {
        /// Chunks copied.
        chunks_written: u32;
        /// Bytes of the last chunk, if it was copied in part.
        chunk_bytes_written: u32;
        /// Bytes copied in all.
        total_bytes_written: u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::testing::{check_buffer, hex};

    #[test]
    fn a_key_with_a_context_or_without() {
        let response = ResumeKeyResponse { key: [7; 24] };
        let wire = response.to_bytes();
        assert_eq!(wire, [[7; 24].as_slice(), &[0; 8]].concat());
        for len in [32, 28, 24] {
            assert_eq!(ResumeKeyResponse::parse(&wire[..len]).unwrap(), response, "{len} bytes");
        }
        assert!((0..24).all(|cut| ResumeKeyResponse::parse(&wire[..cut]).is_err()));
    }

    #[test]
    fn requests_and_what_was_copied() {
        let key = "070707070707070707070707070707070707070707070707";
        let chunk = CopyChunk { source_offset: 1, target_offset: 2, length: 3 };
        check_buffer!(
            CopyChunkRequest,
            CopyChunkRequest { source_key: [7; 24], chunks: vec![chunk] },
            hex(&format!("{key} 01000000 00000000 0100000000000000 0200000000000000 03000000 00000000"))
        );
        check_buffer!(
            CopyChunkResponse,
            CopyChunkResponse { chunks_written: 1, chunk_bytes_written: 0, total_bytes_written: 3 },
            hex("01000000 00000000 03000000")
        );
    }

    #[test]
    fn a_count_that_lies_does_not_allocate() {
        let mut wire = CopyChunkRequest { source_key: [7; 24], chunks: Vec::new() }.to_bytes();
        wire[24..28].fill(0xff);
        assert!(CopyChunkRequest::parse(&wire).is_err());
    }
}
