//! How much a share may hold.

use crate::backend::{Result, Space};
use smb_proto::status::NtStatus;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts bytes held by the files of one share.
#[derive(Debug)]
pub(super) struct Quota {
    limit: u64,
    used: AtomicU64,
}

impl Quota {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, used: AtomicU64::new(0) }
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// Takes `bytes`, all or nothing.
    pub(super) fn take(&self, bytes: u64) -> Result<()> {
        let add = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add) {
            Ok(_) => Ok(()),
            Err(_) => Err(NtStatus::DISK_FULL),
        }
    }

    pub(super) fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn space(&self) -> Space {
        let used = self.used.load(Ordering::Relaxed);
        Space { total: self.limit, available: self.limit.saturating_sub(used) }
    }
}
