//! The life of one stream: what its WRITEs, FLUSH and CLOSE do, and when it is committed. Pure.
//!
//! ```text
//!             flush, no gap          consumer confirms
//!  Receiving ───────────────▶ Committing ───────────▶ Committed
//!      │                          │
//!      │ close · lost · idle ·    │ length or digest differ ·
//!      │ consumer failed          │ consumer refuses · lost
//!      └────────────┬─────────────┘
//!                   ▼
//!               Aborting ──consumer was told──▶ Aborted
//! ```
//! Driving it: hand events in by `write`, `flush`, `close`…; after each, do what [`Stream::next`] says and report
//! back by `took`, `verify` or `confirm`. A `Wait` answer means: ask again after the next step.

use super::window::{Admission, Window};
use bytes::Bytes;
use smb_proto::{
    msg::fsctl::stream_commit::{DigestAlgorithm, StreamCommit},
    status::NtStatus,
};

/// Why a stream ended without a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AbortReason {
    /// The session or connection was lost, or the server stops.
    #[error("the sender went away")]
    Lost,
    /// The sender closed it without committing it.
    #[error("the sender closed the stream without committing it")]
    Closed,
    /// The sender removed it.
    #[error("the sender gave the stream up")]
    Removed,
    /// The sender sent nothing for too long.
    #[error("the sender was silent for too long")]
    Idle,
    /// What came is not as long as the sender says.
    #[error("{received} bytes were received where the sender announces {announced}")]
    Length {
        /// Bytes received.
        received: u64,
        /// Bytes announced.
        announced: u64,
    },
    /// What came has another digest than the sender says.
    #[error("the digest differs from the one the sender announces")]
    Digest,
    /// The consumer failed or refused.
    #[error("the consumer failed: {0}")]
    Consumer(NtStatus),
}

impl AbortReason {
    /// What the client is told.
    pub fn status(self) -> NtStatus {
        match self {
            Self::Lost | Self::Closed | Self::Removed => NtStatus::REQUEST_ABORTED,
            Self::Idle => NtStatus::IO_TIMEOUT,
            Self::Length { .. } => NtStatus::DATA_ERROR,
            Self::Digest => NtStatus::CRC_ERROR,
            Self::Consumer(status) => status,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Receiving,
    Committing,
    /// Length and digest are as announced.
    Verified,
    Committed,
    Aborting(AbortReason),
    Aborted(AbortReason),
}

/// What the driver is to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing until something happens.
    Wait,
    /// Hash the bytes, give them to the consumer, then call [`Stream::took`].
    Feed(Bytes),
    /// Call [`Stream::verify`] with the digest of all that was fed.
    Verify,
    /// Ask the consumer to confirm, then call [`Stream::confirm`].
    Commit,
    /// Tell the consumer, then call [`Stream::aborted`].
    Abort(AbortReason),
    /// It is over.
    Finish,
}

/// An answer that may have to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Now(Result<(), NtStatus>),
    Wait,
}

/// One stream.
#[derive(Debug)]
pub(super) struct Stream {
    window: Window,
    phase: Phase,
    expected: Option<StreamCommit>,
    commit_on_close: bool,
    /// WRITEs that wait for room.
    waiting: usize,
}

impl Stream {
    pub(super) fn new(window: u64, commit_on_close: bool) -> Self {
        let window = Window::new(window);
        Self { window, phase: Phase::Receiving, expected: None, commit_on_close, waiting: 0 }
    }

    /// Bytes received without a gap.
    pub(super) fn received(&self) -> u64 {
        self.window.contiguous()
    }

    /// A WRITE. Full: it waits and asks again.
    pub(super) fn write(&mut self, offset: u64, bytes: Bytes, replay: bool) -> Admission {
        match self.phase {
            Phase::Receiving => self.window.admit(offset, bytes, replay),
            Phase::Aborting(reason) | Phase::Aborted(reason) => Admission::Refused(reason.status()),
            Phase::Committing | Phase::Verified | Phase::Committed => self.late_write(offset, &bytes, replay),
        }
    }

    /// A WRITE that waited or not now does or not.
    pub(super) fn count_waiting(&mut self, before: bool, now: bool) {
        self.waiting = (self.waiting + usize::from(now)).saturating_sub(usize::from(before));
    }

    /// Once the commit was asked for, nothing new may come.
    fn late_write(&self, offset: u64, bytes: &Bytes, replay: bool) -> Admission {
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let known = offset.checked_add(len).is_some_and(|end| end <= self.received());
        if replay && known { Admission::Admitted } else { Admission::Refused(NtStatus::INVALID_DEVICE_STATE) }
    }

    /// What the sender says the stream is.
    pub(super) fn expect(&mut self, commit: StreamCommit) -> Result<(), NtStatus> {
        if commit.algorithm != DigestAlgorithm::BLAKE3 {
            return Err(NtStatus::NOT_SUPPORTED);
        }
        match self.phase {
            Phase::Receiving => self.expected = Some(commit),
            Phase::Aborting(reason) | Phase::Aborted(reason) => return Err(reason.status()),
            // It may say the same again, after a lost answer.
            _ if self.expected == Some(commit) => {}
            _ => return Err(NtStatus::INVALID_DEVICE_STATE),
        }
        Ok(())
    }

    /// FLUSH: commit. Asked again, it answers the same.
    pub(super) fn flush(&mut self) -> Answer {
        match self.phase {
            // The stream lives on: the sender may fill the gap and flush again.
            Phase::Receiving if self.is_incomplete() => Answer::Now(Err(NtStatus::INVALID_DEVICE_STATE)),
            Phase::Receiving => {
                self.phase = Phase::Committing;
                Answer::Wait
            }
            Phase::Committing | Phase::Verified | Phase::Aborting(_) => Answer::Wait,
            Phase::Committed => Answer::Now(Ok(())),
            Phase::Aborted(reason) => Answer::Now(Err(reason.status())),
        }
    }

    /// Whether there is something behind the last byte that came in order.
    fn is_incomplete(&self) -> bool {
        self.window.has_gap() || self.waiting > 0
    }

    /// CLOSE, or the loss of the open.
    pub(super) fn close(&mut self, orderly: bool) -> Answer {
        let complete = self.phase == Phase::Receiving && !self.is_incomplete();
        match orderly {
            true if complete && self.commit_on_close => self.phase = Phase::Committing,
            true if self.phase == Phase::Receiving => self.abort(AbortReason::Closed),
            true => {}
            false => self.abort(AbortReason::Lost),
        }
        match (orderly, self.phase) {
            // Nobody is there to be told.
            (false, _) => Answer::Now(Ok(())),
            // What it wanted.
            (true, Phase::Aborted(AbortReason::Removed)) => Answer::Now(Ok(())),
            (true, _) => self.flush(),
        }
    }

    /// Ends it, unless it has ended.
    pub(super) fn abort(&mut self, reason: AbortReason) {
        if matches!(self.phase, Phase::Receiving | Phase::Committing | Phase::Verified) {
            self.phase = Phase::Aborting(reason);
            self.window.clear();
        }
    }

    /// Whether what the consumer is doing must be broken off.
    pub(super) fn is_aborting(&self) -> bool {
        matches!(self.phase, Phase::Aborting(_))
    }

    /// What to do now.
    pub(super) fn next(&mut self) -> Step {
        match self.phase {
            Phase::Receiving | Phase::Committing => match self.window.next() {
                Some(bytes) => Step::Feed(bytes),
                None if self.phase == Phase::Committing && self.window.is_drained() => Step::Verify,
                None => Step::Wait,
            },
            Phase::Verified => Step::Commit,
            Phase::Aborting(reason) => Step::Abort(reason),
            Phase::Committed | Phase::Aborted(_) => Step::Finish,
        }
    }

    /// The consumer took what it was fed, or failed.
    pub(super) fn took(&mut self, result: Result<(), NtStatus>) {
        match result {
            Ok(()) => self.window.taken(),
            Err(status) => self.abort(AbortReason::Consumer(status)),
        }
    }

    /// Compares the whole stream with what was announced.
    pub(super) fn verify(&mut self, digest: [u8; 32]) {
        if self.phase != Phase::Committing {
            return;
        }
        let received = self.received();
        match self.expected {
            Some(expected) if expected.length != received => {
                self.abort(AbortReason::Length { received, announced: expected.length });
            }
            Some(expected) if expected.digest != digest => self.abort(AbortReason::Digest),
            _ => self.phase = Phase::Verified,
        }
    }

    /// The consumer confirmed, or refused. What it confirmed is committed even where the sender was lost meanwhile.
    pub(super) fn confirm(&mut self, result: Result<(), NtStatus>) {
        match result {
            Ok(()) => self.phase = Phase::Committed,
            Err(status) => self.abort(AbortReason::Consumer(status)),
        }
    }

    /// The consumer was told of the abort.
    pub(super) fn aborted(&mut self) {
        if let Phase::Aborting(reason) = self.phase {
            self.phase = Phase::Aborted(reason);
        }
    }
}

#[cfg(test)]
mod tests;
