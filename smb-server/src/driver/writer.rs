//! The task that sends: whatever is ready goes out together.

use super::connection::{Conn, ended};
use smb_transport::{Msg, SendHalf, TransportError};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

/// Messages sent together.
const BATCH: usize = 32;

/// A finished message, and what it holds until it has left. Queued in a box: a queue sets room aside for many.
pub(super) struct Outgoing {
    pub(super) message: Msg,
    pub(super) held: Held,
}

/// The room an answer takes: its request's slot and its share of the budget.
#[derive(Default)]
pub(super) struct Held(pub(super) Vec<OwnedSemaphorePermit>);

/// Sends until the queue ends or the connection does.
pub(super) async fn write(
    conn: Arc<Conn>,
    mut sender: Box<dyn SendHalf>,
    mut queue: mpsc::Receiver<Box<Outgoing>>,
) -> Box<dyn SendHalf> {
    let mut gone = conn.watch();
    loop {
        let sent = tokio::select! {
            biased;
            () = ended(&mut gone) => break,
            sent = send_batch(sender.as_mut(), &mut queue) => sent,
        };
        match sent {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                tracing::info!(conn = conn.id, %error, "sending failed");
                conn.end();
                break;
            }
        }
    }
    sender
}

/// Sends what is there; false at the end of the queue.
async fn send_batch(
    sender: &mut dyn SendHalf,
    queue: &mut mpsc::Receiver<Box<Outgoing>>,
) -> Result<bool, TransportError> {
    let Some(first) = queue.recv().await else { return Ok(false) };
    let mut held = vec![first.held];
    let mut messages = vec![first.message];
    while messages.len() < BATCH
        && let Ok(next) = queue.try_recv()
    {
        held.push(next.held);
        messages.push(next.message);
    }
    match <[Msg; 1]>::try_from(messages) {
        Ok([message]) => sender.send(message).await?,
        Err(messages) => sender.send_all(messages).await?,
    }
    drop(held);
    Ok(true)
}
