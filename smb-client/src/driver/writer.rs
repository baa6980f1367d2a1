//! The writing task of a channel.

use super::channel::Channel;
use smb_transport::{Msg, SendHalf};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// Messages handed to the transport at a time.
const BATCH: usize = 16;
/// How long the last bytes may take.
const PARTING: Duration = Duration::from_millis(500);

pub(super) async fn run(
    channel: Arc<Channel>,
    mut sender: Box<dyn SendHalf>,
    mut queue: mpsc::Receiver<Msg>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            biased;
            () = channel.fate.ended() => break,
            _ = queue.recv_many(&mut batch, BATCH) => (),
        }
        let bytes = batch.iter().map(Msg::len).sum();
        let sent = tokio::select! {
            biased;
            sent = sender.send_all(std::mem::take(&mut batch)) => sent,
            // A message may be half sent: there is nothing to close in order.
            () = channel.fate.ended() => return,
        };
        match sent {
            Ok(()) => channel.progressed(bytes),
            Err(error) => {
                channel.end(error.into());
                return;
            }
        }
    }
    let _ = tokio::time::timeout(PARTING, sender.close()).await;
}
