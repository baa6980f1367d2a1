//! Completion queues with a channel to wait on.

use super::{
    context::{Context, Use},
    error::{io_error, made},
    fd::{Steady, set_nonblocking, watch},
};
use crate::rdma::RdmaError;
use rdma_mummy_sys::{
    ibv_ack_cq_events, ibv_comp_channel, ibv_cq, ibv_create_comp_channel, ibv_create_cq,
    ibv_destroy_comp_channel, ibv_destroy_cq, ibv_get_cq_event, ibv_poll_cq, ibv_req_notify_cq, ibv_wc,
    ibv_wc_status,
};
use std::{
    mem::MaybeUninit,
    os::fd::{AsRawFd, RawFd},
    ptr::{self, NonNull},
    sync::Arc,
};
use tokio::io::unix::AsyncFd;

/// Completions taken at a time.
const BATCH: usize = 32;

struct Channel(NonNull<ibv_comp_channel>);

// SAFETY: libibverbs may be called from any thread; the pointer is owned.
unsafe impl Send for Channel {}
// SAFETY: as above.
unsafe impl Sync for Channel {}

impl AsRawFd for Channel {
    fn as_raw_fd(&self) -> RawFd {
        // SAFETY: the channel lives as long as `self`.
        unsafe { self.0.as_ref().fd }
    }
}

// SAFETY: the descriptor is the channel's, which is destroyed when this is dropped.
unsafe impl Steady for Channel {}

impl Drop for Channel {
    fn drop(&mut self) {
        // SAFETY: owned; the queue on it is destroyed before it (`Cq` holds both).
        unsafe { ibv_destroy_comp_channel(self.0.as_ptr()) };
    }
}

/// What came of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Done {
    /// The number it was posted with.
    pub(super) id: u64,
    pub(super) status: ibv_wc_status::Type,
    /// Bytes received.
    pub(super) len: usize,
    /// The key of ours that the message invalidated.
    pub(super) invalidated: Option<u32>,
}

impl Done {
    pub(super) fn succeeded(&self) -> bool {
        self.status == ibv_wc_status::IBV_WC_SUCCESS
    }
}

/// A completion queue.
pub(super) struct Cq {
    raw: NonNull<ibv_cq>,
    channel: AsyncFd<Channel>,
    /// Says in a completion that a key was invalidated.
    invalidation: u32,
    _using: Use,
}

// SAFETY: libibverbs may be called from any thread.
unsafe impl Send for Cq {}
// SAFETY: as above; polling takes the library's lock.
unsafe impl Sync for Cq {}

impl Cq {
    pub(super) fn new(context: &Arc<Context>, capacity: usize, invalidation: u32) -> Result<Self, RdmaError> {
        let capacity = i32::try_from(capacity).map_err(|_| RdmaError::Limit("completions"))?;
        let using = context.enter()?;
        // SAFETY: the context is open; returns null on failure.
        let channel = Channel(made(|| unsafe { ibv_create_comp_channel(context.as_ptr()) })?);
        set_nonblocking(channel.as_raw_fd()).map_err(|error| io_error(&error))?;
        let on = channel.0.as_ptr();
        // SAFETY: the context is open and the channel lives; no context of ours is attached.
        let raw = made(|| unsafe { ibv_create_cq(context.as_ptr(), capacity, ptr::null_mut(), on, 0) })?;
        let channel = match watch(channel) {
            Ok(channel) => channel,
            Err((_channel, error)) => {
                // SAFETY: just made, used by nobody; the channel is dropped after it.
                unsafe { ibv_destroy_cq(raw.as_ptr()) };
                return Err(io_error(&error));
            }
        };
        Ok(Self { raw, channel, invalidation, _using: using })
    }

    pub(super) fn as_ptr(&self) -> *mut ibv_cq {
        self.raw.as_ptr()
    }

    /// Asks for a notification of the next completion. Completions that are there already cause none: poll after it.
    pub(super) fn arm(&self) -> Result<(), RdmaError> {
        // SAFETY: the queue lives.
        super::error::checked(unsafe { ibv_req_notify_cq(self.raw.as_ptr(), 0) })
    }

    /// Takes some completions; an empty answer means that there are no more.
    pub(super) fn poll(&self, mut take: impl FnMut(Done)) -> usize {
        let mut batch = [const { MaybeUninit::<ibv_wc>::zeroed() }; BATCH];
        let most = i32::try_from(BATCH).unwrap_or(0);
        // SAFETY: the queue lives; at most `BATCH` elements are written.
        let count = unsafe { ibv_poll_cq(self.raw.as_ptr(), most, batch.as_mut_ptr().cast()) };
        let count = usize::try_from(count).unwrap_or(0);
        for entry in batch.iter().take(count) {
            // SAFETY: all zero is a valid entry, and the first `count` were written.
            let entry = unsafe { entry.assume_init_ref() };
            let invalidates =
                entry.wc_flags & self.invalidation != 0 && entry.status == ibv_wc_status::IBV_WC_SUCCESS;
            // SAFETY: the flag says which member was written; both are 32 bits of plain number.
            let key = unsafe { entry.imm_data_invalidated_rkey_union.invalidated_rkey };
            take(Done {
                id: entry.wr_id,
                status: entry.status,
                len: usize::try_from(entry.byte_len).unwrap_or(0),
                invalidated: invalidates.then_some(key),
            });
        }
        count
    }

    /// Waits for a notification, and takes all there are. Cancel-safe.
    pub(super) async fn notified(&self) -> Result<(), RdmaError> {
        let mut ready = self.channel.readable().await.map_err(|error| io_error(&error))?;
        while self.take_notification() {}
        ready.clear_ready();
        Ok(())
    }

    fn take_notification(&self) -> bool {
        let (mut queue, mut context) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the channel lives; the pointers are written where 0 is returned.
        let taken =
            unsafe { ibv_get_cq_event(self.channel.get_ref().0.as_ptr(), &mut queue, &mut context) } == 0;
        if taken {
            // SAFETY: one event of this queue, the only one on the channel, was taken.
            unsafe { ibv_ack_cq_events(self.raw.as_ptr(), 1) };
        }
        taken
    }
}

impl Drop for Cq {
    fn drop(&mut self) {
        // SAFETY: owned; the queue pair on it is gone (`Qp` holds the queue) and all events are acknowledged.
        unsafe { ibv_destroy_cq(self.raw.as_ptr()) };
    }
}
