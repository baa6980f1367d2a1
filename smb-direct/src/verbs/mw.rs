//! Memory windows of type 2: remote access that is opened by a request of a queue pair and ended by one of either side.

use super::{device::Pd, error::made};
use crate::rdma::RdmaError;
use rdma_mummy_sys::{ibv_alloc_mw, ibv_dealloc_mw, ibv_inc_rkey, ibv_mw, ibv_mw_type};
use std::{ptr::NonNull, sync::Arc};

/// A window. Dropped, it opens nothing.
pub(super) struct Mw {
    raw: NonNull<ibv_mw>,
    _pd: Arc<Pd>,
}

// SAFETY: libibverbs may be called from any thread; the key is changed only by its one user, under a lock.
unsafe impl Send for Mw {}
// SAFETY: as above.
unsafe impl Sync for Mw {}

impl Mw {
    pub(super) fn new(pd: &Arc<Pd>) -> Result<Self, RdmaError> {
        let _using = pd.context().enter()?;
        // SAFETY: the protection domain lives; returns null on failure.
        let raw = made(|| unsafe { ibv_alloc_mw(pd.as_ptr(), ibv_mw_type::IBV_MW_TYPE_2) })?;
        Ok(Self { raw, _pd: pd.clone() })
    }

    pub(super) fn as_ptr(&self) -> *mut ibv_mw {
        self.raw.as_ptr()
    }

    /// The key of the next binding: never the one before, so that an old one opens nothing.
    pub(super) fn next_key(&self) -> u32 {
        // SAFETY: the window lives; `ibv_inc_rkey` only computes.
        unsafe { ibv_inc_rkey(self.raw.as_ref().rkey) }
    }

    /// Notes that a binding with that key was posted, which the library leaves to its user.
    pub(super) fn bound(&self, key: u32) {
        // SAFETY: the window lives, and is used by one queue pair under its lock.
        unsafe { (*self.raw.as_ptr()).rkey = key }
    }
}

impl Drop for Mw {
    fn drop(&mut self) {
        // SAFETY: owned, freed once.
        unsafe { ibv_dealloc_mw(self.raw.as_ptr()) };
    }
}
