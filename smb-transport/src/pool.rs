//! Where buffers come from and return to.

use crate::{Buffers, HEAD_ROOM, IoBuf, Memory};
use std::{
    any::Any,
    sync::{Arc, Mutex, PoisonError, Weak},
};

const PAGE: usize = 4096;
const SMALLEST: usize = 16 * 1024;

/// A pool of page-aligned memory in classes of powers of two. Clones share it.
///
/// It keeps at most `capacity` bytes of free memory; what returns beyond that is freed. It never refuses:
/// bounding what is in use is the business of whoever asks.
#[derive(Clone)]
pub struct Pool {
    shelf: Arc<Shelf>,
}

struct Shelf {
    capacity: usize,
    free: Mutex<Free>,
}

#[derive(Default)]
struct Free {
    bytes: usize,
    classes: Vec<Vec<Vec<u8>>>,
}

impl Pool {
    /// A pool that keeps at most `capacity` bytes of free memory.
    pub fn new(capacity: usize) -> Self {
        Self { shelf: Arc::new(Shelf { capacity, free: Mutex::default() }) }
    }
}

impl Buffers for Pool {
    fn buffer(&self, len: usize) -> IoBuf {
        let size = class_size(len);
        let block = self.shelf.take(size).unwrap_or_else(|| vec![0; size + PAGE]);
        window(block, len, Arc::downgrade(&self.shelf))
    }
}

/// The memory of a class: payload and head-room, rounded up to a power of two.
fn class_size(len: usize) -> usize {
    len.saturating_add(HEAD_ROOM).checked_next_power_of_two().unwrap_or(usize::MAX - PAGE).max(SMALLEST)
}

pub(crate) fn unpooled(len: usize) -> IoBuf {
    window(vec![0; HEAD_ROOM + len + PAGE], len, Weak::new())
}

fn window(block: Vec<u8>, len: usize, home: Weak<Shelf>) -> IoBuf {
    let misaligned = block.as_ptr().addr() % PAGE;
    let start = HEAD_ROOM + if misaligned == 0 { 0 } else { PAGE - misaligned };
    IoBuf::new(Box::new(Block { bytes: block, home }), start..start + len)
}

impl Shelf {
    fn take(&self, size: usize) -> Option<Vec<u8>> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let block = free.classes.get_mut(class(size))?.pop()?;
        free.bytes = free.bytes.saturating_sub(block.len());
        Some(block)
    }

    fn put(&self, block: Vec<u8>) {
        let class = class(block.len().saturating_sub(PAGE));
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.bytes.saturating_add(block.len()) > self.capacity {
            return;
        }
        free.bytes += block.len();
        if free.classes.len() <= class {
            free.classes.resize_with(class + 1, Vec::new);
        }
        if let Some(shelf) = free.classes.get_mut(class) {
            shelf.push(block);
        }
    }
}

fn class(size: usize) -> usize {
    size.trailing_zeros().try_into().unwrap_or(0)
}

struct Block {
    bytes: Vec<u8>,
    home: Weak<Shelf>,
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
        if let Some(home) = self.home.upgrade() {
            home.put(std::mem::take(&mut self.bytes));
        }
    }
}
