//! What is posted to a queue pair: owned buffers in, owned buffers out.

use bytes::Bytes;
use smb_transport::IoBuf;
pub use smb_transport::Token;
use std::{ops::Range, sync::Arc};

/// Bytes of the longest [`Head`].
pub const HEAD_LEN: usize = 32;

/// A few bytes that go in front of what a send gathers; small enough for every device to take inline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    bytes: [u8; HEAD_LEN],
    len: usize,
}

impl Head {
    /// What `emit` writes: at most [`HEAD_LEN`] bytes.
    ///
    /// # Panics
    /// Where it writes more.
    pub fn new(emit: impl FnOnce(&mut &mut [u8])) -> Self {
        let mut bytes = [0; HEAD_LEN];
        let mut space: &mut [u8] = &mut bytes;
        emit(&mut space);
        let len = HEAD_LEN - space.len();
        Self { bytes, len }
    }
}

impl std::ops::Deref for Head {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }
}

/// A part of a buffer that several requests under way share.
#[derive(Debug, Clone)]
pub struct Slice {
    buf: Arc<IoBuf>,
    range: Range<usize>,
}

impl Slice {
    /// `range` of `buf`'s window, cut to it.
    pub fn new(buf: Arc<IoBuf>, range: Range<usize>) -> Self {
        let end = range.end.min(buf.len());
        Self { range: range.start.min(end)..end, buf }
    }

    /// The buffer, for the provider to find its registration.
    pub fn buf(&self) -> &IoBuf {
        &self.buf
    }

    /// Where the slice lies in the buffer's window.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }
}

impl std::ops::Deref for Slice {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.buf.get(self.range.clone()).unwrap_or(&[])
    }
}

/// One element of a gather list.
#[derive(Debug, Clone)]
pub enum Piece {
    /// Of a buffer that may be registered with the device.
    Buffer(Slice),
    /// Of memory no device knows: a provider for hardware copies it into registered memory.
    Foreign(Bytes),
}

impl std::ops::Deref for Piece {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Self::Buffer(slice) => slice,
            Self::Foreign(bytes) => bytes,
        }
    }
}

/// A send: `head`, then the pieces, as one message into one posted receive of the peer.
#[derive(Debug)]
pub struct SendRequest {
    /// The first bytes.
    pub head: Head,
    /// What follows.
    pub pieces: [Option<Piece>; 2],
    /// Invalidate this token of the peer's as the message arrives there.
    pub invalidate: Option<Token>,
}

impl SendRequest {
    /// Bytes of the message.
    pub fn len(&self) -> usize {
        self.pieces.iter().flatten().fold(self.head.len(), |sum, piece| sum.saturating_add(piece.len()))
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Memory of the peer's, from `address` on; how much is what is written to or read from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remote {
    /// Its token.
    pub token: Token,
    /// Where it begins, in the token's address space.
    pub address: u64,
}

/// An RDMA write.
#[derive(Debug)]
pub struct WriteRequest {
    /// What.
    pub from: Slice,
    /// Where to.
    pub to: Remote,
}

/// RDMA reads into parts of one buffer, which comes back when all of them are done.
#[derive(Debug)]
pub struct ReadRequest {
    /// Where to.
    pub into: IoBuf,
    /// What, and to which part of `into`'s window. One read each.
    pub parts: Vec<(Remote, Range<usize>)>,
}
