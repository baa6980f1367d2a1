//! Where buffers come from and return to.

use crate::{Buffers, HEAD_ROOM, IoBuf, Memory};
use std::{
    any::Any,
    fmt,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

const PAGE: usize = 4096;
/// What every class holds beyond its power of two: a received WRITE of 1 MiB with its headers is a
/// little over 1 MiB and must not cost 2 MiB.
const SLACK: usize = 4096;
/// Head-room, slack, and what aligning the payload may take.
const OVERHEAD: usize = HEAD_ROOM + SLACK + PAGE;
const SMALLEST: u32 = 12;
const LARGEST: u32 = 26;

/// A pool of page-aligned memory in classes of powers of two, 4 KiB to 64 MiB. Clones share it.
///
/// It keeps at most `capacity` bytes of free memory; what returns beyond that is freed, and so is what is
/// larger than the largest class. It never refuses: bounding what is in use is the business of whoever asks.
#[derive(Clone)]
pub struct Pool {
    shelves: Arc<Shelves<Vec<u8>>>,
}

/// Free blocks of memory by their size, for pools: of plain memory ([`Pool`]) or of such that a device knows.
pub struct Shelves<T> {
    capacity: usize,
    /// Bytes on all the shelves.
    kept: AtomicUsize,
    /// One per class, each with its own lock; the last returned goes out first, while caches know it.
    classes: Vec<Mutex<Vec<T>>>,
}

/// A size of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizeClass(u32);

impl SizeClass {
    /// The smallest whose blocks hold `len` bytes of payload, with head-room in front; `None` where that is more than
    /// pools keep.
    pub fn holding(len: usize) -> Option<Self> {
        let class = len.saturating_sub(SLACK).checked_next_power_of_two()?.trailing_zeros().max(SMALLEST);
        (class <= LARGEST).then_some(Self(class))
    }

    /// Bytes of a block.
    pub fn size(self) -> usize {
        (1usize << self.0) + OVERHEAD
    }

    fn index(self) -> usize {
        usize::try_from(self.0 - SMALLEST).unwrap_or(usize::MAX)
    }
}

impl<T> Shelves<T> {
    /// Shelves that keep at most `capacity` bytes.
    pub fn new(capacity: usize) -> Self {
        let classes = (SMALLEST..=LARGEST).map(|_| Mutex::default()).collect();
        Self { capacity, kept: AtomicUsize::new(0), classes }
    }

    /// Bytes kept now.
    pub fn kept(&self) -> usize {
        self.kept.load(Ordering::Relaxed)
    }

    /// A block of `class`, if there is one.
    pub fn take(&self, class: SizeClass) -> Option<T> {
        let shelf = self.classes.get(class.index())?;
        let block = shelf.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        self.kept.fetch_sub(class.size(), Ordering::Relaxed);
        Some(block)
    }

    /// Keeps a block of `class`, or drops it where enough is kept.
    pub fn put(&self, class: SizeClass, block: T) {
        let Some(shelf) = self.classes.get(class.index()) else { return };
        if self.reserve(class.size()) {
            shelf.lock().unwrap_or_else(PoisonError::into_inner).push(block);
        }
    }

    fn reserve(&self, size: usize) -> bool {
        let room = |kept: usize| kept.checked_add(size).filter(|kept| *kept <= self.capacity);
        self.kept.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok()
    }
}

impl<T> fmt::Debug for Shelves<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelves").field("capacity", &self.capacity).field("kept", &self.kept()).finish()
    }
}

impl Pool {
    /// A pool that keeps at most `capacity` bytes of free memory.
    pub fn new(capacity: usize) -> Self {
        Self { shelves: Arc::new(Shelves::new(capacity)) }
    }

    /// Bytes of free memory the pool keeps now.
    pub fn kept(&self) -> usize {
        self.shelves.kept()
    }
}

impl Default for Pool {
    /// A pool that keeps at most 256 MiB of free memory.
    fn default() -> Self {
        Self::new(256 << 20)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pool").field(&self.shelves).finish()
    }
}

impl From<Pool> for Arc<dyn Buffers> {
    fn from(pool: Pool) -> Self {
        Arc::new(pool)
    }
}

impl Buffers for Pool {
    fn buffer(&self, len: usize) -> IoBuf {
        let Some(class) = SizeClass::holding(len) else { return unpooled(len) };
        let block = self.shelves.take(class).unwrap_or_else(|| vec![0; class.size()]);
        window(block, len, Some((Arc::downgrade(&self.shelves), class)))
    }
}

pub(crate) fn unpooled(len: usize) -> IoBuf {
    window(vec![0; len.saturating_add(OVERHEAD)], len, None)
}

type Home = (Weak<Shelves<Vec<u8>>>, SizeClass);

fn window(block: Vec<u8>, len: usize, home: Option<Home>) -> IoBuf {
    let start = HEAD_ROOM + (PAGE - block.as_ptr().addr() % PAGE) % PAGE;
    IoBuf::new(Box::new(Block { bytes: block, home }), start..start + len)
}

struct Block {
    bytes: Vec<u8>,
    home: Option<Home>,
}

impl Memory for Block {
    fn bytes(&self) -> &[u8] {
        &self.bytes
    }
    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let Some((home, class)) = self.home.take() else { return };
        if let Some(home) = home.upgrade() {
            home.put(class, std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_begin_on_a_page_with_head_room() {
        let pool = Pool::new(1 << 20);
        for len in [0, 1, 4095, 4096, 65_537, 1 << 20, (64 << 20) + SLACK + 1] {
            for buf in [pool.buffer(len), IoBuf::alloc(len)] {
                assert_eq!(buf.as_ptr().addr() % PAGE, 0, "{len}");
                assert_eq!(buf.len(), len);
                assert!(buf.head_room() >= HEAD_ROOM);
            }
        }
    }

    #[test]
    fn a_payload_with_its_headers_stays_in_its_class() {
        let size = |len| Pool::new(0).buffer(len).memory().bytes().len();
        assert_eq!(size(1 << 20), size((1 << 20) + 200));
        assert!(size((1 << 20) + 200) < (1 << 20) + (64 << 10));
        assert!(size((1 << 20) + SLACK + 1) > 2 << 20);
    }

    #[test]
    fn classes_are_the_smallest_that_hold() {
        for (len, class) in [
            (0, SMALLEST),
            (4096 + SLACK, SMALLEST),
            (4097 + SLACK, SMALLEST + 1),
            ((1 << 20) + SLACK, 20),
            ((1 << 20) + SLACK + 1, 21),
            ((1 << LARGEST) + SLACK, LARGEST),
        ] {
            assert_eq!(SizeClass::holding(len), Some(SizeClass(class)), "{len}");
        }
        assert_eq!(SizeClass::holding((1 << LARGEST) + SLACK + 1), None);
        assert_eq!(SizeClass::holding(usize::MAX), None);
    }

    #[test]
    fn memory_is_used_again_within_its_class() {
        let pool = Pool::new(64 << 20);
        let first = pool.buffer(100_000);
        let memory = first.memory().bytes().as_ptr().addr();
        drop(first);
        assert!(pool.kept() > 100_000);
        assert_ne!(pool.buffer(10).memory().bytes().as_ptr().addr(), memory);
        let again = pool.buffer(131_072);
        assert_eq!(again.memory().bytes().as_ptr().addr(), memory);
        assert_eq!(again.len(), 131_072);
        assert_eq!(again.as_ptr().addr() % PAGE, 0);
    }

    #[test]
    fn it_keeps_no_more_than_its_capacity() {
        let pool = Pool::new(5 << 20);
        let taken: Vec<_> = (0..8).map(|_| pool.buffer(1 << 20)).collect();
        assert_eq!(pool.kept(), 0);
        drop(taken);
        assert_eq!(pool.kept(), 4 * SizeClass(20).size());
        drop((0..4).map(|_| pool.buffer(1 << 20)).collect::<Vec<_>>());
        assert_eq!(pool.kept(), 4 * SizeClass(20).size());
        drop(pool.buffer((64 << 20) + SLACK + 1));
        assert_eq!(pool.kept(), 4 * SizeClass(20).size());
    }

    #[test]
    fn old_content_stays_outside_the_window() {
        let pool = Pool::new(1 << 20);
        pool.buffer(4096).fill(0xAA);
        let mut buf = pool.buffer(0);
        assert!(buf.is_empty());
        buf.append(b"new").unwrap();
        assert_eq!(&buf[..], b"new");
        buf.set_len(4).unwrap();
        assert_eq!(buf[3], 0xAA, "the pool does not clear: set_len says so");
        buf.truncate(3);
        assert_eq!(&buf.into_bytes()[..], b"new");
    }

    #[test]
    fn a_buffer_outlives_its_pool() {
        let pool = Pool::default();
        let buf = pool.buffer(5);
        drop(pool);
        drop(buf);
    }

    #[test]
    fn threads_share_it_and_never_a_buffer() {
        let pool = Pool::new(1 << 20);
        std::thread::scope(|scope| {
            for thread in 0..4u8 {
                let pool = pool.clone();
                scope.spawn(move || {
                    for round in 0..2000usize {
                        let mut a = pool.buffer(round % 9000);
                        let mut b = pool.buffer(round % 5000);
                        a.fill(thread);
                        b.fill(!thread);
                        assert!(a.iter().all(|byte| *byte == thread));
                    }
                });
            }
        });
        assert!(pool.kept() <= 1 << 20);
    }
}
