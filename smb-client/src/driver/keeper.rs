//! Finds out whether a silent server is still there.
//!
//! While requests wait and nothing comes for half the time-out, an ECHO is sent ([MS-SMB2] 3.2.6.1); if nothing comes
//! for the other half either, the connection is given up. Without requests under way nobody cares.

use super::{channel::Channel, request::Request};
use crate::error::Error;
use smb_proto::msg::EchoRequest;
use std::{sync::Arc, time::Duration};

pub(super) async fn run(channel: Arc<Channel>) {
    let half = (channel.options.timeout / 2).max(Duration::from_millis(1));
    let mut reserve = None;
    loop {
        tokio::select! {
            () = channel.fate.ended() => return,
            () = tokio::time::sleep(half / 4) => (),
        }
        // With all credits spent on requests that take long, there would be none left to ask with.
        if reserve.is_none() && channel.credits.available_permits() > 8 {
            reserve = channel.credits.try_acquire().ok();
        }
        if !channel.is_silent(half) {
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

    async fn probe(self: &Arc<Self>, patience: Duration) {
        let before = self.last_heard();
        let silent = before.elapsed().saturating_add(patience);
        let ask = async {
            if let Ok(waiting) = self.submit_one(Request::new(&EchoRequest, 0)).await {
                // What it answers does not matter: the reader notes that anything came.
                let _ = waiting.answer().await;
            }
            std::future::pending::<()>().await;
        };
        let listen = async {
            while self.last_heard() <= before {
                tokio::time::sleep(patience / 8).await;
            }
        };
        tokio::select! {
            () = self.fate.ended() => (),
            () = ask => (),
            heard = tokio::time::timeout(patience, listen) => if heard.is_err() {
                self.end(Error::Stalled { silent });
            },
        }
    }
}
