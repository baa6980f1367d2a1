//! The bytes of one file: blocks that exist where something was written, zeroes elsewhere.
//!
//! Reads and writes of different blocks run side by side: the table's lock is held to look blocks up, never while
//! bytes are copied. Only cutting a file waits for the writes under way, so that none of them leaves bytes behind
//! the new end.

mod ranges;

use super::quota::Quota;
use crate::backend::Result;
use smb_proto::status::NtStatus;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
};

/// Bytes in a block.
const BLOCK: usize = 1 << 20;
const BLOCK_64: u64 = 1 << 20;
/// What a file occupies is reported in units of this.
const CLUSTER: u64 = 4096;

/// A block's bytes; what lies behind the vector's end is zero.
type Block = RwLock<Vec<u8>>;

/// The bytes of one file.
#[derive(Debug)]
pub(super) struct Data {
    quota: Arc<Quota>,
    table: Mutex<Table>,
    /// Bytes in all blocks.
    held: AtomicU64,
    /// What somebody asked to be kept free for it; reported, and no more than that.
    reserved: AtomicU64,
    /// Shared by writes, exclusive to a cut.
    cut: RwLock<()>,
}

#[derive(Debug, Default)]
struct Table {
    len: u64,
    blocks: BTreeMap<u64, Arc<Block>>,
}

/// A part of a read or write that lies within one block.
struct Part {
    block: u64,
    /// Where it begins in the block.
    at: usize,
    len: usize,
}

/// Splits `len` bytes at `offset` at the blocks' borders.
fn parts(offset: u64, len: usize) -> impl Iterator<Item = Part> {
    let mut at = usize::try_from(offset % BLOCK_64).unwrap_or(0);
    let mut block = offset / BLOCK_64;
    let mut rest = len;
    std::iter::from_fn(move || {
        let part = Part { block, at, len: rest.min(BLOCK - at) };
        rest -= part.len;
        block += 1;
        at = 0;
        (part.len > 0).then_some(part)
    })
}

fn to_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

fn shared<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn exclusive<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

impl Data {
    pub(super) fn new(quota: Arc<Quota>) -> Self {
        Self {
            quota,
            table: Mutex::default(),
            held: AtomicU64::new(0),
            reserved: AtomicU64::new(0),
            cut: RwLock::new(()),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn len(&self) -> u64 {
        self.table().len
    }

    /// Bytes of memory it occupies, in whole clusters.
    pub(super) fn allocated(&self) -> u64 {
        let bytes = self.held.load(Ordering::Relaxed).max(self.reserved.load(Ordering::Relaxed));
        bytes.checked_next_multiple_of(CLUSTER).unwrap_or(bytes)
    }

    /// Reports at least `size` bytes as occupied, until the file is cut.
    pub(super) fn reserve(&self, size: u64) {
        self.reserved.store(size, Ordering::Relaxed);
    }

    /// Fills `out` from `offset` on; returns how much there was.
    pub(super) fn read(&self, offset: u64, out: &mut [u8]) -> usize {
        let (len, blocks) = self.look_up(offset, out.len());
        let mut rest = out.get_mut(..len).unwrap_or_default();
        for (part, block) in parts(offset, len).zip(blocks) {
            let (now, later) = rest.split_at_mut_checked(part.len).unwrap_or_default();
            fill(now, block.as_deref(), part.at);
            rest = later;
        }
        len
    }

    /// How much of the range there is, and the blocks it touches.
    fn look_up(&self, offset: u64, len: usize) -> (usize, Vec<Option<Arc<Block>>>) {
        let table = self.table();
        let len = len.min(usize::try_from(table.len.saturating_sub(offset)).unwrap_or(usize::MAX));
        (len, parts(offset, len).map(|part| table.blocks.get(&part.block).cloned()).collect())
    }

    /// Puts `from` at `offset`. Where space runs out on the way, the part before that is written, as on a disk.
    pub(super) fn write(&self, offset: u64, from: &[u8]) -> Result<()> {
        end_of(offset, from.len())?;
        let _cut = shared(&self.cut);
        let mut rest = from;
        let mut end = offset;
        for part in parts(offset, from.len()) {
            let (now, later) = rest.split_at_checked(part.len).ok_or(NtStatus::INTERNAL_ERROR)?;
            self.put(&part, now)?;
            end = end.saturating_add(to_u64(part.len));
            self.extend(end);
            rest = later;
        }
        Ok(())
    }

    fn extend(&self, end: u64) {
        let mut table = self.table();
        table.len = table.len.max(end);
    }

    fn put(&self, part: &Part, from: &[u8]) -> Result<()> {
        let known = self.table().blocks.get(&part.block).cloned();
        let block = match known {
            Some(block) => block,
            None => match self.insert(part, from)? {
                None => return Ok(()),
                Some(raced) => raced,
            },
        };
        let mut bytes = exclusive(&block);
        let end = part.at.saturating_add(part.len);
        let growth = end.saturating_sub(bytes.len());
        if growth > 0 {
            self.quota.take(to_u64(growth))?;
            self.held.fetch_add(to_u64(growth), Ordering::Relaxed);
            bytes.resize(end, 0);
        }
        bytes.get_mut(part.at..end).ok_or(NtStatus::INTERNAL_ERROR)?.copy_from_slice(from);
        Ok(())
    }

    /// Adds a block that begins with the part; where another write was faster, returns that one's block instead.
    /// The bytes are copied before the table is locked.
    fn insert(&self, part: &Part, from: &[u8]) -> Result<Option<Arc<Block>>> {
        let size = to_u64(part.at.saturating_add(part.len));
        self.quota.take(size)?;
        let mut bytes = Vec::with_capacity(part.at.saturating_add(part.len));
        bytes.resize(part.at, 0);
        bytes.extend_from_slice(from);
        let mut table = self.table();
        if let Some(raced) = table.blocks.get(&part.block) {
            self.quota.give_back(size);
            return Ok(Some(Arc::clone(raced)));
        }
        self.held.fetch_add(size, Ordering::Relaxed);
        table.blocks.insert(part.block, Arc::new(RwLock::new(bytes)));
        Ok(None)
    }

    /// Cuts or extends to `len`. Extending takes no memory, but a file longer than the share's limit is refused.
    pub(super) fn set_len(&self, len: u64) -> Result<()> {
        let _cut = exclusive(&self.cut);
        let mut table = self.table();
        if len > table.len && len > self.quota.limit() {
            return Err(NtStatus::DISK_FULL);
        }
        let shorter = len < table.len;
        table.len = len;
        if len < self.reserved.load(Ordering::Relaxed) {
            self.reserved.store(0, Ordering::Relaxed);
        }
        if !shorter {
            return Ok(());
        }
        let dropped = table.blocks.split_off(&len.div_ceil(BLOCK_64));
        let mut freed: u64 = dropped.values().map(|block| to_u64(shared(block).len())).sum();
        if let Some(last) = table.blocks.get(&(len / BLOCK_64)) {
            freed = freed.saturating_add(cut_block(last, usize::try_from(len % BLOCK_64).unwrap_or(0)));
        }
        drop(table);
        self.held.fetch_sub(freed, Ordering::Relaxed);
        self.quota.give_back(freed);
        Ok(())
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        self.quota.give_back(self.held.load(Ordering::Relaxed));
    }
}

/// Where `len` bytes at `offset` end; files end below 2^63 ([MS-FSA] 2.1.5.4).
fn end_of(offset: u64, len: usize) -> Result<u64> {
    let end = offset.checked_add(to_u64(len)).ok_or(NtStatus::INVALID_PARAMETER)?;
    if i64::try_from(end).is_err() { Err(NtStatus::INVALID_PARAMETER) } else { Ok(end) }
}

/// Fills `out` from a block, with zeroes where it holds nothing.
fn fill(out: &mut [u8], block: Option<&Block>, at: usize) {
    let Some(block) = block else { return out.fill(0) };
    let bytes = shared(block);
    let from = bytes.get(at..).unwrap_or_default();
    let both = from.len().min(out.len());
    let (copied, zeroed) = out.split_at_mut_checked(both).unwrap_or_default();
    copied.copy_from_slice(from.get(..both).unwrap_or_default());
    zeroed.fill(0);
}

/// Cuts a block to its first `at` bytes; returns how many were freed.
fn cut_block(block: &Block, at: usize) -> u64 {
    let mut bytes = exclusive(block);
    let freed = bytes.len().saturating_sub(at);
    bytes.truncate(at);
    bytes.shrink_to_fit();
    to_u64(freed)
}

#[cfg(test)]
mod tests;
