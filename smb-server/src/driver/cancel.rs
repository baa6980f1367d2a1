//! How a request that waits is given up.

use smb_proto::status::NtStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// What CANCEL does to one request.
#[derive(Debug, Default)]
pub(crate) struct Cancel {
    asked: AtomicBool,
    /// The client's memory is being read: the answer, which gives it back, must not come before that has ended.
    shielded: AtomicBool,
    wake: Notify,
}

impl Cancel {
    /// Asks the request to end.
    pub(crate) fn cancel(&self) {
        self.asked.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Whether the request was asked to end.
    pub(crate) fn asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    /// Resolves when the request is to be dropped where it stands. Never while it is shielded: it ends by
    /// [`shielded`](Self::shielded) then.
    pub(crate) async fn cancelled(&self) {
        loop {
            self.wake.notified().await;
            if !self.shielded.load(Ordering::Acquire) {
                return;
            }
        }
    }

    /// Runs to its end what must not be dropped; the request is over behind it where it was cancelled meanwhile.
    pub(crate) async fn shielded<T>(&self, work: impl Future<Output = T>) -> Result<T, NtStatus> {
        self.shielded.store(true, Ordering::Release);
        let done = work.await;
        self.shielded.store(false, Ordering::Release);
        if self.asked() { Err(NtStatus::CANCELLED) } else { Ok(done) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{future::poll_fn, pin::pin, task::Poll};

    #[tokio::test]
    async fn a_shield_holds_until_the_work_is_done() {
        let cancel = Cancel::default();
        let (done, is_done) = tokio::sync::oneshot::channel::<()>();
        let mut work = pin!(cancel.shielded(is_done));
        let mut dropped = pin!(cancel.cancelled());
        let pending = poll_fn(|cx| {
            assert!(work.as_mut().poll(cx).is_pending());
            cancel.cancel();
            Poll::Ready(dropped.as_mut().poll(cx).is_pending())
        });
        assert!(pending.await);
        done.send(()).unwrap();
        assert!(matches!(work.await, Err(NtStatus::CANCELLED)));
        cancel.cancel();
        dropped.await;
    }
}
