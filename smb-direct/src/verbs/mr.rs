//! Memory regions: memory a device knows.

use super::{device::Pd, error::made};
use crate::rdma::RdmaError;
use rdma_mummy_sys::{ibv_access_flags, ibv_dereg_mr, ibv_mr, ibv_reg_mr};
use smb_transport::IoBuf;
use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    ops::BitOr,
    ptr::NonNull,
    sync::Arc,
};

const PAGE: usize = 4096;

/// What a device may do with memory. It may always read it for requests of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rights(u32);

impl Rights {
    pub(super) const NONE: Self = Self(0);
    pub(super) const LOCAL_WRITE: Self = Self(ibv_access_flags::IBV_ACCESS_LOCAL_WRITE.0);
    pub(super) const REMOTE_WRITE: Self = Self(ibv_access_flags::IBV_ACCESS_REMOTE_WRITE.0);
    pub(super) const REMOTE_READ: Self = Self(ibv_access_flags::IBV_ACCESS_REMOTE_READ.0);
    pub(super) const BIND: Self = Self(ibv_access_flags::IBV_ACCESS_MW_BIND.0);

    pub(super) fn bits(self) -> u32 {
        self.0
    }
}

impl BitOr for Rights {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Pages of our own.
pub(super) struct Pages {
    pub(super) start: NonNull<u8>,
    pub(super) layout: Layout,
}

impl Pages {
    /// Zeroed, for what is in it may be looked at before it is written.
    pub(super) fn new(len: usize) -> Option<Self> {
        let size = len.max(1).checked_next_multiple_of(PAGE)?;
        let layout = Layout::from_size_align(size, PAGE).ok()?;
        // SAFETY: the layout is not empty.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        Some(Self { start, layout })
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, freed once.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

/// A registration. Dropped, the memory is out of the device's reach.
pub(super) struct Mr {
    raw: NonNull<ibv_mr>,
    /// Freed after the registration has ended, which `drop` does first.
    pages: Option<Pages>,
    pd: Arc<Pd>,
}

// SAFETY: libibverbs may be called from any thread; what the region is over is not reached through it.
unsafe impl Send for Mr {}
// SAFETY: as above.
unsafe impl Sync for Mr {}

impl Mr {
    /// Registers fresh pages, zeroed, that live as long as the registration.
    pub(super) fn with_pages(pd: &Arc<Pd>, len: usize, rights: Rights) -> Result<Self, RdmaError> {
        let pages = Pages::new(len).ok_or(RdmaError::Limit("memory"))?;
        // SAFETY: the pages live as long as the registration, which holds them.
        let mut mr = unsafe { Self::register(pd, pages.start.as_ptr(), pages.layout.size(), rights)? };
        mr.pages = Some(pages);
        Ok(mr)
    }

    /// Registers the window of `buf` for one use.
    ///
    /// # Safety
    /// The buffer is kept, and not used where the rights let the device or the peer write to it, until the registration
    /// is dropped.
    pub(super) unsafe fn of_window(pd: &Arc<Pd>, buf: &IoBuf, rights: Rights) -> Result<Self, RdmaError> {
        // SAFETY: the caller keeps the buffer.
        unsafe { Self::register(pd, buf.as_ptr().cast_mut(), buf.len(), rights) }
    }

    /// # Safety
    /// As `of_window`, for the memory at `start`.
    unsafe fn register(pd: &Arc<Pd>, start: *mut u8, len: usize, rights: Rights) -> Result<Self, RdmaError> {
        let _using = pd.context().enter()?;
        // SAFETY: the memory is there, as the caller says; the protection domain lives.
        let raw = made(|| unsafe { ibv_reg_mr(pd.as_ptr(), start.cast(), len, rights.0.cast_signed()) })?;
        Ok(Self { raw, pages: None, pd: pd.clone() })
    }

    pub(super) fn as_ptr(&self) -> *mut ibv_mr {
        self.raw.as_ptr()
    }

    pub(super) fn pd(&self) -> &Arc<Pd> {
        &self.pd
    }

    /// The key requests of ours name it by.
    pub(super) fn local_key(&self) -> u32 {
        // SAFETY: the region lives, and its keys never change.
        unsafe { self.raw.as_ref().lkey }
    }

    /// The key a peer names it by.
    pub(super) fn remote_key(&self) -> u32 {
        // SAFETY: as above.
        unsafe { self.raw.as_ref().rkey }
    }

    /// Where its own pages begin, and how many bytes they are.
    pub(super) fn pages(&self) -> (NonNull<u8>, usize) {
        self.pages.as_ref().map_or((NonNull::dangling(), 0), |pages| (pages.start, pages.layout.size()))
    }
}

impl Drop for Mr {
    fn drop(&mut self) {
        // SAFETY: owned; windows bound to it are gone, for whoever bound one keeps it for longer.
        let ended = unsafe { ibv_dereg_mr(self.raw.as_ptr()) };
        if ended != 0 && ended != libc::EIO && !self.pd.context().is_let_go() {
            // The device was not removed, and may still reach the pages: better never used again than used by two.
            std::mem::forget(self.pages.take());
        }
    }
}
