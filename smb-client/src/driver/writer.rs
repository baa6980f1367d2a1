//! The way out of a channel: a queue with a task behind it, and past them where nothing else is under way.
//!
//! The task gathers what many callers want to send into one system call. For one caller alone it would only be a detour by way
//! of another task: its message goes out from where it is made.

use super::channel::Channel;
use smb_transport::{Msg, SendHalf};
use std::{
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc};

/// Messages handed to the transport at a time.
const BATCH: usize = 64;
/// How long the last bytes may take.
const PARTING: Duration = Duration::from_millis(500);

/// The sending half; whoever holds it sends. None once the channel has ended.
pub(super) type Sender = Arc<Mutex<Option<Box<dyn SendHalf>>>>;

pub(super) async fn run(channel: Arc<Channel>, sender: Sender, mut queue: mpsc::Receiver<Msg>) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut ended = pin!(channel.fate.ended());
    loop {
        tokio::select! {
            biased;
            _ = queue.recv_many(&mut batch, BATCH) => (),
            () = &mut ended => break,
        }
        if channel.has_ended() {
            break;
        }
        let all = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
        let sent = tokio::select! {
            biased;
            sent = async { send(&channel, sender.clone().lock_owned().await, all).await } => sent,
            () = &mut ended => None,
        };
        if sent.is_none() {
            // A message may be half sent: there is nothing to close in order.
            drop(sender.lock().await.take());
            return;
        }
    }
    if let Some(mut sender) = sender.lock().await.take() {
        let _ = tokio::time::timeout(PARTING, sender.close()).await;
    }
}

/// Sends all of `messages`; `None` where that ended the channel.
async fn send(
    channel: &Channel,
    mut sender: OwnedMutexGuard<Option<Box<dyn SendHalf>>>,
    messages: Vec<Msg>,
) -> Option<()> {
    let bytes = messages.iter().map(Msg::len).sum();
    match sender.as_mut()?.send_all(messages).await {
        Ok(()) => {
            channel.progressed(bytes);
            Some(())
        }
        Err(error) => {
            channel.end(error.into());
            None
        }
    }
}

impl Channel {
    /// Sends `message` from here, if nobody else is sending; else gives it back. What the transport does not take at once is
    /// left to a task of its own, so that dropping the caller's future never cuts a message.
    pub(super) fn send_directly(self: &Arc<Self>, message: Msg) -> Result<(), Msg> {
        let Ok(sender) = self.sender.clone().try_lock_owned() else { return Err(message) };
        let channel = self.clone();
        let mut sending: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
            tokio::select! {
                biased;
                _ = send(&channel, sender, vec![message]) => (),
                () = channel.fate.ended() => (),
            }
        });
        let mut unheard = Context::from_waker(Waker::noop());
        if sending.as_mut().poll(&mut unheard).is_pending() {
            tokio::spawn(sending);
        }
        Ok(())
    }
}
