//! Memory descriptors that READ and WRITE carry when their data goes by RDMA — [MS-SMBD] 2.2.3.1.

use crate::{
    codec::num::{fixed, le_u32, le_u64},
    error::ParseError,
};
use bytes::BufMut;

/// SMB_DIRECT_BUFFER_DESCRIPTOR_V1: one piece of memory the sender has opened to its peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BufferDescriptor {
    /// Where the piece begins, in the address space of `token`.
    pub offset: u64,
    /// The steering tag (iWARP) or remote key.
    pub token: u32,
    /// Bytes.
    pub length: u32,
}

impl BufferDescriptor {
    /// Bytes of one descriptor on the wire.
    pub const LEN: usize = 16;

    /// Reads the descriptors of a READ or WRITE; at least one, and nothing but whole ones.
    pub fn parse_all(bytes: &[u8]) -> Result<Vec<Self>, ParseError> {
        const WHAT: &str = "buffer descriptors";
        if bytes.is_empty() || !bytes.len().is_multiple_of(Self::LEN) {
            return Err(ParseError::Truncated { what: WHAT });
        }
        bytes
            .chunks_exact(Self::LEN)
            .map(|piece| {
                let (_, (offset, token, length)) = fixed(WHAT, piece, (le_u64, le_u32, le_u32))?;
                Ok(Self { offset, token, length })
            })
            .collect()
    }

    /// Writes the 16 bytes.
    pub fn emit(&self, out: &mut impl BufMut) {
        out.put_u64_le(self.offset);
        out.put_u32_le(self.token);
        out.put_u32_le(self.length);
    }
}
