//! Finds out whether a silent server is still there.
//!
//! While requests wait and nothing comes for half the time-out, an ECHO is sent ([MS-SMB2] 3.2.6.1); if nothing comes
//! for the other half either, the connection is given up. Without requests under way an ECHO goes out now and then, so
//! that what lies between does not forget the connection, and so that its end is known before the next request.

use super::{channel::Channel, request::Request};
use crate::error::Error;
use smb_proto::msg::EchoRequest;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

/// With no more credits than these none is set aside.
const FEW: u16 = 8;

/// A credit for the next ECHO. With all of them spent on requests that take long there would be none left to ask with, and
/// what comes back goes to those who wait.
#[derive(Debug, Default)]
pub(super) struct Reserve(AtomicU8);

impl Reserve {
    const NONE: u8 = 0;
    const HELD: u8 = 1;
    /// It was spent: the next that comes back is kept.
    const OWED: u8 = 2;

    fn change(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Takes what is owed out of `granted` credits; returns the others.
    pub(super) fn keep(&self, granted: u32) -> u32 {
        let owed = granted > 0 && self.0.load(Ordering::Acquire) == Self::OWED;
        if owed && self.change(Self::OWED, Self::HELD) { granted.saturating_sub(1) } else { granted }
    }
}

/// The credit that was set aside, to be spent. Dropped before, it stays.
pub(super) struct Aside<'a>(&'a Reserve);

impl Aside<'_> {
    pub(super) fn spend(self) {
        self.0.change(Reserve::HELD, Reserve::OWED);
    }
}

pub(super) async fn run(channel: Arc<Channel>) {
    let half = (channel.options.timeout / 2).max(Duration::from_millis(1));
    let keep_alive = Some(channel.options.keep_alive).filter(|time| !time.is_zero());
    let round = (half / 4).min(keep_alive.unwrap_or(half) / 2).max(Duration::from_millis(1));
    loop {
        tokio::select! {
            () = channel.fate.ended() => return,
            () = tokio::time::sleep(round) => (),
        }
        channel.give_up();
        channel.set_aside();
        if !channel.is_silent(half) && !keep_alive.is_some_and(|time| channel.is_idle(time)) {
            continue;
        }
        channel.probe(half).await;
    }
}

impl Channel {
    /// The transport took many bytes: as good as a word, since a dead peer takes no more than its window. An ECHO of
    /// our own is not many.
    pub(super) fn progressed(&self, bytes: usize) {
        if bytes > 4096 {
            self.heard();
        }
    }

    /// Requests wait, and the server has said nothing for `time`.
    fn is_silent(&self, time: Duration) -> bool {
        self.table().outstanding() > 0 && self.last_heard().elapsed() >= time
    }

    /// Logged on, without requests, and without traffic for `time`.
    fn is_idle(&self, time: Duration) -> bool {
        self.security().is_some() && self.table().outstanding() == 0 && self.last_heard().elapsed() >= time
    }

    /// The most one request may be charged: one credit may be set aside.
    pub(super) fn largest_charge(&self) -> u16 {
        let charge = self.table().largest_charge();
        if charge > FEW { charge.saturating_sub(1) } else { charge }
    }

    /// Sets a credit aside, unless one is.
    fn set_aside(&self) {
        let many = self.credits.available_permits() > usize::from(FEW);
        if many
            && self.reserve.0.load(Ordering::Acquire) == Reserve::NONE
            && let Ok(credit) = self.credits.try_acquire()
        {
            credit.forget();
            self.reserve.change(Reserve::NONE, Reserve::HELD);
        }
    }

    /// The credit that was set aside, if there is one.
    fn aside(&self) -> Option<Aside<'_>> {
        (self.reserve.0.load(Ordering::Acquire) == Reserve::HELD).then_some(Aside(&self.reserve))
    }

    async fn probe(self: &Arc<Self>, patience: Duration) {
        let silent = self.last_heard().elapsed().saturating_add(patience);
        let ask = async {
            let echo = self.submit_with(self.aside(), Request::new(&EchoRequest, 0)).await;
            // A first request counts as a sign of life itself: what comes after it is an answer.
            let asked = self.last_heard();
            let wait = async {
                let Ok(waiting) = echo else { return std::future::pending().await };
                // What it answers does not matter.
                if waiting.answer().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            let listen = async {
                while self.last_heard() <= asked {
                    tokio::time::sleep(patience / 8).await;
                }
            };
            tokio::select! {
                () = wait => (),
                () = listen => (),
            }
        };
        tokio::select! {
            () = self.fate.ended() => (),
            heard = tokio::time::timeout(patience, ask) => if heard.is_err() {
                self.end(Error::Stalled { silent });
            },
        }
    }
}
