//! Where a half of the wrapped transport lies while nobody uses it, so that a cut can drop it there.

use super::Line;
use crate::{RecvHalf, SendHalf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(super) type SenderSlot = Slot<Box<dyn SendHalf>>;
pub(super) type ReceiverSlot = Slot<Box<dyn RecvHalf>>;

pub(super) struct Slot<H>(Mutex<Option<H>>);

impl<H> Slot<H> {
    pub(super) fn holding(half: H) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Some(half))))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Option<H>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take(&self) -> Option<H> {
        self.lock().take()
    }

    /// Takes the half out to use it; `None` where it is gone.
    pub(super) fn lease<'a>(&'a self, line: &'a Line) -> Option<Lease<'a, H>> {
        let half = self.take()?;
        Some(Lease { slot: self, line, half: Some(half) })
    }
}

/// A half in use. It goes back when this is dropped, with whatever future uses it, unless the line is cut.
pub(super) struct Lease<'a, H> {
    slot: &'a Slot<H>,
    line: &'a Line,
    half: Option<H>,
}

impl<H> Lease<'_, H> {
    pub(super) fn half(&mut self) -> Option<&mut H> {
        self.half.as_mut()
    }
}

impl<H> Drop for Lease<'_, H> {
    fn drop(&mut self) {
        let mut slot = self.slot.lock();
        // Under the slot's lock: a cut that comes later finds the half in its slot.
        if !self.line.is_cut() {
            *slot = self.half.take();
        }
    }
}
