//! How an in-memory pair behaves.

use crate::{Gate, Pool};

/// Options of [`pair`](super::pair); the same for both ends.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MemoryOptions {
    /// Direct placement, where the pair is to have it.
    pub placement: Option<PlacementOptions>,
    /// The longest message that may be sent, in bytes.
    pub max_message: usize,
    /// Messages that may wait at the receiver before its peer's `send` waits.
    pub queue_messages: usize,
    /// Bytes, with those that are pushed, that may wait at the receiver. One message always may.
    pub queue_bytes: usize,
    /// Where both ends take their buffers.
    pub pool: Pool,
}

/// How direct placement behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PlacementOptions {
    /// The most bytes one READ or WRITE may place.
    pub max_size: usize,
    /// The most descriptors one request may name.
    pub max_descriptors: usize,
    /// The longest piece of memory one descriptor names: a larger buffer is advertised in several.
    pub max_descriptor_len: usize,
    /// Pulls that run at a time; more wait.
    pub read_depth: usize,
    /// Holds pushed data, and the messages behind it, piece by piece. Pushes land by themselves then, after `send`
    /// has resolved.
    pub push_gate: Option<Gate>,
    /// Holds pulled data piece by piece. Pulls go on then after their future is dropped.
    pub pull_gate: Option<Gate>,
    /// Bytes of one piece that goes through a gate.
    pub gated_piece: usize,
}

impl Default for MemoryOptions {
    /// With placement; 16 MiB messages; 64 messages or 32 MiB under way.
    fn default() -> Self {
        Self {
            placement: Some(PlacementOptions::default()),
            max_message: 16 << 20,
            queue_messages: 64,
            queue_bytes: 32 << 20,
            pool: Pool::default(),
        }
    }
}

impl MemoryOptions {
    /// Without placement, as TCP is.
    pub fn plain() -> Self {
        Self { placement: None, ..Self::default() }
    }
}

impl Default for PlacementOptions {
    /// 8 MiB at a time in one descriptor, sixteen pulls, no gates.
    fn default() -> Self {
        Self {
            max_size: 8 << 20,
            max_descriptors: 16,
            max_descriptor_len: 8 << 20,
            read_depth: 16,
            push_gate: None,
            pull_gate: None,
            gated_piece: 64 * 1024,
        }
    }
}
