//! Finds out whether a silent server is still there.
//!
//! While requests wait and nothing comes for half the time-out, an ECHO is sent ([MS-SMB2] 3.2.6.1); if nothing comes
//! for the other half either, the connection is given up. Without requests under way an ECHO goes out now and then, so
//! that what lies between does not forget the connection, and so that its end is known before the next request.

use super::{channel::Channel, request::Request};
use crate::error::Error;
use smb_proto::msg::EchoRequest;
use std::{sync::Arc, time::Duration};

pub(super) async fn run(channel: Arc<Channel>) {
    let half = (channel.options.timeout / 2).max(Duration::from_millis(1));
    let keep_alive = Some(channel.options.keep_alive).filter(|time| !time.is_zero());
    let round = (half / 4).min(keep_alive.unwrap_or(half) / 2).max(Duration::from_millis(1));
    let mut reserve = None;
    loop {
        tokio::select! {
            () = channel.fate.ended() => return,
            () = tokio::time::sleep(round) => (),
        }
        channel.give_up();
        // With all credits spent on requests that take long, there would be none left to ask with.
        if reserve.is_none() && channel.credits.available_permits() > 8 {
            reserve = channel.credits.try_acquire().ok();
        }
        if !channel.is_silent(half) && !keep_alive.is_some_and(|time| channel.is_idle(time)) {
            continue;
        }
        drop(reserve.take());
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

    async fn probe(self: &Arc<Self>, patience: Duration) {
        let silent = self.last_heard().elapsed().saturating_add(patience);
        let ask = async {
            let echo = self.submit_one(Request::new(&EchoRequest, 0)).await;
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
