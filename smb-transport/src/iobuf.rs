//! The one kind of buffer bulk data lives in, from the wire to the storage back end.

use bytes::Bytes;
use std::{any::Any, fmt, ops::Range};

/// Bytes kept free in front of every payload: room for the TCP prefix (4), a transform header (52), an SMB2
/// header (64) and a READ or WRITE body (48), so that a message is completed around its payload in place.
pub const HEAD_ROOM: usize = 4096;

/// The memory behind an [`IoBuf`]. A transport brings its own where the memory must be known to a device;
/// dropping it gives the memory back to its pool.
pub trait Memory: Send + Sync + 'static {
    /// All of it.
    fn bytes(&self) -> &[u8];
    /// All of it, to write.
    fn bytes_mut(&mut self) -> &mut [u8];
    /// For the transport that allocated it to find its registration again.
    fn as_any(&self) -> &dyn Any;
}

/// An owned, unique buffer: a window onto [`Memory`] whose start is the payload's first byte.
///
/// - *Unique*: it is moved, never shared; who holds it may write it.
/// - *Head-room*: [`prepend`](Self::prepend) writes headers in front of the payload without moving it.
/// - *Aligned*: a fresh buffer's payload begins on a page boundary.
///
/// Dropping it returns the memory to the pool it came from.
pub struct IoBuf {
    memory: Box<dyn Memory>,
    start: usize,
    end: usize,
}

impl IoBuf {
    /// A buffer over `memory` whose window is `window`; cut to what the memory holds.
    pub fn new(memory: Box<dyn Memory>, window: Range<usize>) -> Self {
        let size = memory.bytes().len();
        let end = window.end.min(size);
        Self { memory, start: window.start.min(end), end }
    }

    /// A buffer outside any pool, zeroed; for small messages and tests. Transports have
    /// [`Buffers`](crate::Buffers).
    pub fn alloc(len: usize) -> Self {
        crate::pool::unpooled(len)
    }

    /// A buffer outside any pool that holds a copy of `bytes`.
    pub fn copied(bytes: &[u8]) -> Self {
        let mut buf = Self::alloc(bytes.len());
        buf.copy_from_slice(bytes);
        buf
    }

    /// The window as shared, read-only bytes, without a copy. The memory returns to its pool with the last of them.
    pub fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }

    /// The window's length in bytes.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether the window is empty.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Free bytes in front of the window.
    pub fn head_room(&self) -> usize {
        self.start
    }

    /// Free bytes behind the window.
    pub fn tail_room(&self) -> usize {
        self.memory.bytes().len() - self.end
    }

    /// The memory, for the transport that allocated it.
    pub fn memory(&self) -> &dyn Memory {
        self.memory.as_ref()
    }

    /// Where the window lies in [`memory`](Self::memory).
    pub fn window(&self) -> Range<usize> {
        self.start..self.end
    }

    /// Writes `head` directly in front of the window and extends the window over it.
    pub fn prepend(&mut self, head: &[u8]) -> Result<(), NoRoom> {
        let start = self.start.checked_sub(head.len()).ok_or(NoRoom)?;
        self.memory.bytes_mut().get_mut(start..self.start).ok_or(NoRoom)?.copy_from_slice(head);
        self.start = start;
        Ok(())
    }

    /// Extends the window by `len` bytes to the front, whose content is unspecified.
    pub fn grow_front(&mut self, len: usize) -> Result<(), NoRoom> {
        self.start = self.start.checked_sub(len).ok_or(NoRoom)?;
        Ok(())
    }

    /// Writes `tail` directly behind the window and extends the window over it.
    pub fn append(&mut self, tail: &[u8]) -> Result<(), NoRoom> {
        let end = self.end.checked_add(tail.len()).ok_or(NoRoom)?;
        self.memory.bytes_mut().get_mut(self.end..end).ok_or(NoRoom)?.copy_from_slice(tail);
        self.end = end;
        Ok(())
    }

    /// Extends or cuts the window at its end to `len` bytes; new bytes are unspecified (whatever the pool's
    /// last user left, so never send them).
    pub fn set_len(&mut self, len: usize) -> Result<(), NoRoom> {
        let end = self.start.checked_add(len).ok_or(NoRoom)?;
        if end > self.memory.bytes().len() {
            return Err(NoRoom);
        }
        self.end = end;
        Ok(())
    }

    /// Cuts the window to at most `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.end = self.end.min(self.start.saturating_add(len));
    }

    /// Narrows the window to `part` of it. A range outside the window is cut to it.
    pub fn narrow(&mut self, part: Range<usize>) {
        let end = self.start.saturating_add(part.end).min(self.end);
        self.start = self.start.saturating_add(part.start).min(end);
        self.end = end;
    }
}

impl std::ops::Deref for IoBuf {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.memory.bytes().get(self.start..self.end).unwrap_or(&[])
    }
}

impl std::ops::DerefMut for IoBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.memory.bytes_mut().get_mut(self.start..self.end).unwrap_or(&mut [])
    }
}

impl AsRef<[u8]> for IoBuf {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for IoBuf {
    /// Never prints content: payloads are not logged.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IoBuf").field("len", &self.len()).field("head_room", &self.head_room()).finish()
    }
}

/// The window cannot grow that far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no room left in the buffer")]
pub struct NoRoom;
