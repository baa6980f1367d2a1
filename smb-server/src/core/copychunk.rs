//! What one server-side copy may ask for — [MS-SMB2] 3.3.5.15.6.

use smb_proto::msg::{
    FileId,
    fsctl::copychunk::{CopyChunk, CopyChunkResponse, ResumeKey},
};

/// ServerSideCopyMaxNumberofChunks.
const MOST_CHUNKS: u32 = 256;
/// ServerSideCopyMaxChunkSize.
const MOST_PER_CHUNK: u32 = 1 << 20;
/// ServerSideCopyMaxDataSize.
const MOST_IN_ALL: u32 = 16 << 20;

/// What a client is told that asked for too much.
pub const LIMITS: CopyChunkResponse = CopyChunkResponse {
    chunks_written: MOST_CHUNKS,
    chunk_bytes_written: MOST_PER_CHUNK,
    total_bytes_written: MOST_IN_ALL,
};

/// Whether the chunks are within the limits; none may be empty.
pub fn within_limits(chunks: &[CopyChunk]) -> bool {
    let few = u32::try_from(chunks.len()).is_ok_and(|count| count <= MOST_CHUNKS);
    let fits = |chunk: &CopyChunk| (1..=MOST_PER_CHUNK).contains(&chunk.length);
    let total: u64 = chunks.iter().map(|chunk| u64::from(chunk.length)).sum();
    few && chunks.iter().all(fits) && total <= MOST_IN_ALL.into()
}

/// The key that names an open to another of its session.
pub fn key_of(id: FileId) -> ResumeKey {
    let mut key = ResumeKey::default();
    let bytes = id.persistent.to_le_bytes().into_iter().chain(id.volatile.to_le_bytes());
    key.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    key
}

/// The open that a key names.
pub fn open_of(key: &ResumeKey) -> Option<FileId> {
    let (persistent, rest) = key.split_first_chunk::<8>()?;
    let (volatile, rest) = rest.split_first_chunk::<8>()?;
    let id = FileId { persistent: u64::from_le_bytes(*persistent), volatile: u64::from_le_bytes(*volatile) };
    rest.iter().all(|byte| *byte == 0).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(count: usize, length: u32) -> Vec<CopyChunk> {
        vec![CopyChunk { source_offset: 0, target_offset: 0, length }; count]
    }

    #[test]
    fn each_limit_counts() {
        assert!(within_limits(&chunks(256, 1)) && within_limits(&chunks(16, 1 << 20)));
        assert!(within_limits(&[]));
        for wrong in [chunks(257, 1), chunks(17, 1 << 20), chunks(1, (1 << 20) + 1), chunks(1, 0)] {
            assert!(!within_limits(&wrong), "{} of {}", wrong.len(), wrong[0].length);
        }
    }

    #[test]
    fn keys_name_opens() {
        let id = FileId { persistent: 5, volatile: u64::MAX };
        assert_eq!(open_of(&key_of(id)), Some(id));
        assert_eq!(open_of(b"deadbeefdeadbeefdeadbeef"), None);
    }
}
