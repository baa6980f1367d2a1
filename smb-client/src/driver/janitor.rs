//! What is left to do when nobody waits for it: cancelling, closing, leaving.

use super::{channel::Channel, request::Request};
use crate::core::{protect::Need, request};
use smb_proto::{
    codec::Message,
    header::HEADER_LEN,
    msg::{CancelRequest, CloseFlags, CloseRequest, FileId, LogoffRequest, TreeDisconnectRequest},
};
use smb_transport::{Advertised, TransportError};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// How long leaving politely may take.
const PARTING: Duration = Duration::from_secs(2);

/// Something to do.
pub(crate) enum Chore {
    /// Nobody waits for this request any more.
    Cancel { message_id: u64 },
    /// Nobody uses this open any more.
    Close { tree_id: u32, need: Need, file_id: FileId },
    /// Nobody uses this share connection any more.
    LeaveTree { tree_id: u32, need: Need },
    /// The answer has come: the memory is ours again once it is invalidated.
    Reclaim(Box<dyn Advertised>),
    /// A request has succeeded that nobody waited for any more: this takes it back.
    Undo(Box<Request>),
    /// Nobody uses the connection any more.
    Leave,
}

pub(super) async fn run(channel: Arc<Channel>, mut chores: mpsc::UnboundedReceiver<Chore>) {
    loop {
        let chore = tokio::select! {
            () = channel.fate.ended() => return,
            chore = chores.recv() => chore,
        };
        match chore {
            Some(Chore::Cancel { message_id }) => channel.cancel(message_id).await,
            Some(Chore::Close { tree_id, need, file_id }) => {
                let close = CloseRequest { flags: CloseFlags::NONE, file_id };
                channel.send_off(Request::new(&close, tree_id).needing(need)).await;
            }
            Some(Chore::LeaveTree { tree_id, need }) => {
                channel.send_off(Request::new(&TreeDisconnectRequest, tree_id).needing(need)).await;
            }
            Some(Chore::Undo(request)) => channel.send_off(*request).await,
            Some(Chore::Reclaim(kept)) => {
                // Where it fails the memory stays with the connection.
                let _ = kept.reclaim().await;
            }
            Some(Chore::Leave) | None => return channel.leave().await,
        }
    }
}

impl Channel {
    /// Sends a request whose answer does not matter.
    async fn send_off(self: &Arc<Self>, request: Request) {
        let _ = self.submit_one(request).await;
    }

    /// Tells the server to stop working on a request, if it does.
    async fn cancel(&self, message_id: u64) {
        let Ok(place) = self.queue.reserve().await else { return };
        let cancel = self.table().cancel(message_id);
        let Some((async_id, session_id, protection)) = cancel else { return };
        let header = request::cancel(message_id, async_id, session_id, protection);
        let mut message = Vec::with_capacity(HEADER_LEN + 4);
        header.emit(0, &mut message);
        CancelRequest.emit(&mut message);
        let mut buf = self.buffers.buffer(message.len());
        buf.copy_from_slice(&message);
        if let Ok(message) = self.finish(buf, protection) {
            place.send(message);
        }
    }

    /// Does what is left to do, logs off and closes the connection.
    pub(crate) async fn log_off(&self) {
        self.chore(Chore::Leave);
        if tokio::time::timeout(PARTING.saturating_mul(2), self.fate.ended()).await.is_err() {
            self.end(TransportError::Closed.into());
        }
    }

    /// Logs off, as far as the server lets us, and closes the connection.
    async fn leave(self: &Arc<Self>) {
        if self.security().is_some() && !self.has_ended() {
            let logoff = async {
                if let Ok(waiting) = self.submit_one(Request::new(&LogoffRequest, 0)).await {
                    let _ = waiting.answer().await;
                }
            };
            let _ = tokio::time::timeout(PARTING.min(self.options.timeout), logoff).await;
        }
        self.end(TransportError::Closed.into());
    }
}
