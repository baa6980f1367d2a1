//! Buffers of memory that the device knows.

use super::{
    device::Pd,
    mr::{Mr, Rights},
    qp::Element,
};
use crate::rdma::RdmaError;
use smb_transport::{Buffers, HEAD_ROOM, IoBuf, Memory, Shelves, SizeClass};
use std::{
    any::Any,
    ops::Range,
    sync::{Arc, Weak},
};

/// Bytes of free memory that stay registered.
const KEPT: usize = 256 << 20;

/// A pool of registered memory. Clones share it.
#[derive(Clone)]
pub(super) struct RegisteredPool {
    pd: Arc<Pd>,
    shelves: Arc<Shelves<Block>>,
    rights: Rights,
}

impl RegisteredPool {
    /// Memory to send from and to receive into, and, with `windows`, to bind windows to; by itself open to no peer.
    pub(super) fn new(pd: Arc<Pd>, windows: bool) -> Self {
        let rights = if windows { Rights::LOCAL_WRITE | Rights::BIND } else { Rights::LOCAL_WRITE };
        Self { pd, shelves: Arc::new(Shelves::new(KEPT)), rights }
    }

    fn block(&self, len: usize) -> Option<(Block, Option<SizeClass>)> {
        let class = SizeClass::holding(len);
        let size = class.map_or(len.checked_add(HEAD_ROOM)?, SizeClass::size);
        let kept = class.and_then(|class| self.shelves.take(class));
        let block = kept.or_else(|| Block::new(&self.pd, size, self.rights).ok())?;
        Some((block, class))
    }
}

impl Buffers for RegisteredPool {
    /// Where no more memory can be registered, it is memory that will be registered when it is used.
    fn buffer(&self, len: usize) -> IoBuf {
        let Some((block, class)) = self.block(len) else { return IoBuf::alloc(len) };
        let home = class.map(|class| (Arc::downgrade(&self.shelves), class));
        IoBuf::new(
            Box::new(Registered { block: Some(block), home }),
            HEAD_ROOM..HEAD_ROOM.saturating_add(len),
        )
    }
}

/// A registered piece of memory that one buffer has, or a shelf.
struct Block {
    mr: Arc<Mr>,
}

impl Block {
    fn new(pd: &Arc<Pd>, size: usize, rights: Rights) -> Result<Self, RdmaError> {
        Ok(Self { mr: Arc::new(Mr::with_pages(pd, size, rights)?) })
    }

    fn bytes(&self) -> &[u8] {
        let (start, len) = self.mr.pages();
        // SAFETY: the pages are initialized, live as long as the region, and are reached through this block only. The
        // device writes to them only while their buffer is with a queue pair, where nobody looks at it.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), len) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        let (start, len) = self.mr.pages();
        // SAFETY: as above, and the block is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), len) }
    }
}

/// The memory of a buffer of this pool.
struct Registered {
    /// There until it goes home.
    block: Option<Block>,
    home: Option<(Weak<Shelves<Block>>, SizeClass)>,
}

impl Memory for Registered {
    fn bytes(&self) -> &[u8] {
        self.block.as_ref().map_or(&[], Block::bytes)
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.block.as_mut().map_or(&mut [], Block::bytes_mut)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let home = self.home.take().and_then(|(home, class)| Some((home.upgrade()?, class)));
        if let (Some((home, class)), Some(block)) = (home, self.block.take()) {
            home.put(class, block);
        }
    }
}

/// The region a buffer's memory is in, where it is of a pool of this protection domain.
pub(super) fn region_of<'a>(buf: &'a IoBuf, pd: &Arc<Pd>) -> Option<&'a Arc<Mr>> {
    let memory = buf.memory().as_any().downcast_ref::<Registered>()?;
    let mr = &memory.block.as_ref()?.mr;
    Arc::ptr_eq(mr.pd(), pd).then_some(mr)
}

/// `range` of a buffer's window as an element of requests, under `key`; `None` where the window has no such range.
pub(super) fn element(buf: &IoBuf, range: Range<usize>, key: u32) -> Option<Element> {
    let part = buf.get(range)?;
    let address = u64::try_from(part.as_ptr().expose_provenance()).ok()?;
    Some(Element { address, len: u32::try_from(part.len()).ok()?, key })
}
