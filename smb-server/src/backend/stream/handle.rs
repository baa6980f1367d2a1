//! An open stream.

use super::{
    AbortReason,
    commit::Answer,
    names::{Live, Ticket},
    window::Admission,
};
use crate::backend::{Handle, Metadata, Result, SetMetadata};
use bytes::Bytes;
use smb_proto::{msg::fsctl::stream_commit::StreamCommit, status::NtStatus};
use smb_transport::{BoxFuture, IoBuf};

/// The handle of the sender, or of somebody who only asks what is known of the stream.
pub(super) struct StreamHandle {
    live: Ticket,
    sends: bool,
}

impl StreamHandle {
    pub(super) fn sender(live: Ticket) -> Self {
        Self { live, sends: true }
    }

    pub(super) fn observer(live: Ticket) -> Self {
        Self { live, sends: false }
    }

    fn sends(&self) -> Result<()> {
        if self.sends { Ok(()) } else { Err(NtStatus::ACCESS_DENIED) }
    }

    fn abort(&self, reason: AbortReason) {
        self.live.stream().abort(reason);
        self.live.work.notify_one();
        self.live.progress.notify_waiters();
    }

    /// Takes the bytes in when there is room. Until then they are this future's, and go with it.
    async fn write(&self, offset: u64, buf: IoBuf, replay: bool) -> Result<()> {
        self.sends()?;
        let mut bytes = buf.into_bytes();
        let mut place = Place { live: &self.live, waits: false };
        loop {
            let progress = self.live.progress.notified();
            match place.ask(offset, bytes, replay) {
                Admission::Admitted => {
                    self.live.work.notify_one();
                    return Ok(());
                }
                Admission::Refused(status) => return Err(status),
                Admission::Full(back) => bytes = back,
            }
            progress.await;
        }
    }

    /// Asks until there is an answer.
    async fn answer(&self, mut ask: impl FnMut() -> Answer + Send) -> Result<()> {
        loop {
            let progress = self.live.progress.notified();
            let answer = ask();
            self.live.work.notify_one();
            match answer {
                Answer::Now(result) => return result,
                Answer::Wait => progress.await,
            }
        }
    }
}

/// A WRITE that may have to wait, and is counted while it does.
struct Place<'a> {
    live: &'a Live,
    waits: bool,
}

impl Place<'_> {
    /// Asks and counts in one step, so that no commit comes between.
    fn ask(&mut self, offset: u64, bytes: Bytes, replay: bool) -> Admission {
        let mut stream = self.live.stream();
        let admission = stream.write(offset, bytes, replay);
        let waits = matches!(admission, Admission::Full(_));
        stream.count_waiting(self.waits, waits);
        self.waits = waits;
        admission
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.live.stream().count_waiting(self.waits, false);
    }
}

impl Drop for StreamHandle {
    /// A stream that was committed, or ended otherwise, stays what it is.
    fn drop(&mut self) {
        if self.sends {
            self.abort(AbortReason::Lost);
        }
    }
}

impl Handle for StreamHandle {
    fn metadata(&self) -> BoxFuture<'_, Result<Metadata>> {
        Box::pin(async { Ok(self.live.what_is_known()) })
    }

    fn read(&self, _: u64, _: IoBuf) -> BoxFuture<'_, Result<IoBuf>> {
        Box::pin(async { Err(NtStatus::ACCESS_DENIED) })
    }

    fn write(&self, offset: u64, buf: IoBuf, replay: bool) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.write(offset, buf, replay))
    }

    fn flush(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async {
            self.sends()?;
            self.answer(|| self.live.stream().flush()).await
        })
    }

    /// A hint only: the bytes alone make the stream.
    fn set_len(&self, _: u64) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { self.sends() })
    }

    /// Clients set the times of what they copied; a stream keeps none.
    fn set_metadata(&self, _: SetMetadata) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { self.sends() })
    }

    /// The sender gives the stream up.
    fn remove(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async {
            self.sends()?;
            self.abort(AbortReason::Removed);
            Ok(())
        })
    }

    fn expect(&self, commit: StreamCommit) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.sends()?;
            self.live.stream().expect(commit)
        })
    }

    fn close(&self, orderly: bool) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            if !self.sends {
                return Ok(());
            }
            let result = self.answer(|| self.live.stream().close(orderly)).await;
            if orderly {
                // It is over, whatever came of it: the name is free before the client hears of it.
                self.live.leave();
            }
            result
        })
    }
}
