//! A copy on the server, cut to what the server takes at a time — [MS-SMB2] 3.2.4.20.2, 3.3.3.

use smb_proto::msg::fsctl::copychunk::{CopyChunk, CopyChunkResponse};

/// What a server takes at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CopyLimits {
    pub chunks: u32,
    pub chunk_bytes: u32,
    pub total_bytes: u32,
}

impl Default for CopyLimits {
    /// What [MS-SMB2] 3.3.3 has as the defaults, which Windows and Samba keep.
    fn default() -> Self {
        Self { chunks: 256, chunk_bytes: 1 << 20, total_bytes: 16 << 20 }
    }
}

impl CopyLimits {
    /// What a server says with STATUS_INVALID_PARAMETER, as far as it is less than the defaults: more has been refused.
    /// `None` where nothing could be copied within it.
    pub fn of(refusal: &CopyChunkResponse) -> Option<Self> {
        let most = Self::default();
        let limits = Self {
            chunks: refusal.chunks_written.min(most.chunks),
            chunk_bytes: refusal.chunk_bytes_written.min(most.chunk_bytes),
            total_bytes: refusal.total_bytes_written.min(most.total_bytes),
        };
        (limits.chunks > 0 && limits.chunk_bytes > 0 && limits.total_bytes > 0).then_some(limits)
    }

    /// The chunks of the next request: from `offset` to at most `end`, the same in source and target.
    pub fn chunks(&self, offset: u64, end: u64) -> Vec<CopyChunk> {
        let (mut at, mut left) = (offset, self.total_bytes);
        let mut chunks = Vec::new();
        while at < end && left > 0 && chunks.len() < usize::try_from(self.chunks).unwrap_or(usize::MAX) {
            let rest = u32::try_from(end.saturating_sub(at)).unwrap_or(u32::MAX);
            let length = rest.min(self.chunk_bytes).min(left);
            chunks.push(CopyChunk { source_offset: at, target_offset: at, length });
            at = at.saturating_add(length.into());
            left = left.saturating_sub(length);
        }
        chunks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(limits: CopyLimits, offset: u64, end: u64) -> Vec<(u64, u32)> {
        limits.chunks(offset, end).iter().map(|chunk| (chunk.source_offset, chunk.length)).collect()
    }

    #[test]
    fn each_limit_holds() {
        let limits = CopyLimits { chunks: 3, chunk_bytes: 10, total_bytes: 25 };
        assert_eq!(lengths(limits, 0, 100), [(0, 10), (10, 10), (20, 5)]);
        assert_eq!(lengths(limits, 95, 100), [(95, 5)]);
        assert_eq!(lengths(CopyLimits { chunks: 2, ..limits }, 0, 100), [(0, 10), (10, 10)]);
        assert_eq!(lengths(limits, 100, 100), []);
        assert_eq!(CopyLimits::default().chunks(0, u64::MAX).len(), 16);
    }

    #[test]
    fn a_server_of_no_or_huge_limits_is_not_believed() {
        let refusal = |chunks_written, chunk_bytes_written, total_bytes_written| CopyChunkResponse {
            chunks_written,
            chunk_bytes_written,
            total_bytes_written,
        };
        assert_eq!(CopyLimits::of(&refusal(0, 1, 1)), None);
        let huge = CopyLimits::of(&refusal(u32::MAX, 1, u32::MAX)).unwrap();
        assert_eq!(huge.chunks(0, u64::MAX).len(), 256);
        assert_eq!(
            CopyLimits::of(&refusal(16, 4096, 65_536)),
            Some(CopyLimits { chunks: 16, chunk_bytes: 4096, total_bytes: 65_536 })
        );
    }
}
