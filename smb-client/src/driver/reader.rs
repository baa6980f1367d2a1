//! The reading task of a channel: unseals, splits, verifies, and hands each answer to who waits for it.

use super::{
    channel::{Channel, Slot},
    janitor::Chore,
    request::Reply,
};
use crate::{
    core::{
        protect::{Check, check_answer},
        table::Answer,
    },
    error::Error,
};
use smb_proto::{
    compound,
    error::{ParseError, PeerViolation},
    frame::FrameKind,
    header::Header,
    transform::encryption::TransformHeader,
};
use smb_transport::{IoBuf, RecvHalf, TransportError};
use std::{sync::Arc, time::Duration};
use tokio::sync::{oneshot, watch};

/// How long the server may take to say good-bye.
const PARTING: Duration = Duration::from_millis(500);

pub(super) async fn run(
    channel: Arc<Channel>,
    mut receiver: Box<dyn RecvHalf>,
    limit: watch::Receiver<usize>,
) {
    let mut ended = std::pin::pin!(channel.fate.ended());
    // The limit widens once: when the peer has authenticated. Who widens it waits until it is dropped here.
    let mut limit = Some(limit);
    let error = loop {
        tokio::select! {
            biased;
            received = receiver.recv() => match received {
                Ok(Some(received)) if !channel.has_ended() => match channel.incoming(received.message) {
                    Ok(()) => (),
                    Err(error) => break error,
                },
                Ok(Some(_)) => (),
                Ok(None) => break TransportError::Closed.into(),
                Err(error) => break error.into(),
            },
            room = widened(&mut limit) => {
                receiver.set_limit(room);
                limit = None;
            }
            () = &mut ended => {
                part(receiver).await;
                return;
            }
        }
    };
    channel.end(error);
}

/// Resolves to the limit once it is another one.
async fn widened(limit: &mut Option<watch::Receiver<usize>>) -> usize {
    if let Some(limit) = limit
        && limit.changed().await.is_ok()
    {
        return *limit.borrow_and_update();
    }
    std::future::pending().await
}

/// Receives to the end, so that what is under way does not reset the connection under our last words.
async fn part(mut receiver: Box<dyn RecvHalf>) {
    let _ = tokio::time::timeout(PARTING, async { while let Ok(Some(_)) = receiver.recv().await {} }).await;
}

impl Channel {
    fn incoming(&self, mut frame: IoBuf) -> Result<(), Error> {
        self.heard();
        let sealed = TransformHeader::matches(&frame);
        if sealed {
            self.unseal(&mut frame)?;
        }
        if FrameKind::of(&frame) != Some(FrameKind::Smb2) {
            let value = frame.first_chunk::<4>().map_or(0, |id| u32::from_le_bytes(*id)).into();
            return Err(ParseError::Value { what: "ProtocolId", value }.into());
        }
        let mut ranges = compound::ranges(&frame);
        let first = ranges.next().transpose()?;
        if first.is_some_and(|first| first.end == frame.len()) {
            drop(ranges);
            return self.message(frame, sealed);
        }
        drop(ranges);
        self.compound(&frame, sealed)
    }

    /// The answers of a compound are small: each gets a buffer of its own.
    fn compound(&self, frame: &IoBuf, sealed: bool) -> Result<(), Error> {
        for range in compound::ranges(frame) {
            let part = frame.get(range?).unwrap_or(&[]);
            let mut message = self.buffers.buffer(part.len());
            message.copy_from_slice(part);
            self.message(message, sealed)?;
        }
        Ok(())
    }

    fn unseal(&self, frame: &mut IoBuf) -> Result<(), Error> {
        let (header, _) = TransformHeader::parse(frame)?;
        let security = self.security().ok_or(PeerViolation::BadSeal)?;
        let sealer = security.sealer.as_ref().ok_or(PeerViolation::BadSeal)?;
        if header.session_id != security.session_id {
            return Err(PeerViolation::BadSeal.into());
        }
        let text = sealer.open.open(frame).map_err(|_| PeerViolation::BadSeal)?;
        frame.narrow(text);
        Ok(())
    }

    fn message(&self, mut message: IoBuf, sealed: bool) -> Result<(), Error> {
        let (header, _) = Header::parse(&message)?;
        let asked = self.table().asked(&header)?;
        let key = self.security().and_then(|security| security.signing.as_ref());
        if check_answer(asked, sealed, key.is_some(), &header)? == Check::Verify
            && let Some(key) = key
        {
            key.verify(&mut message).map_err(|_| PeerViolation::BadSignature(header.command))?;
        }
        match self.take(&header)? {
            Answer::Final(slot) => {
                self.deliver(slot, header, message);
                self.end_retired();
            }
            Answer::Interim => tracing::trace!(mid = header.message_id, "interim answer"),
            Answer::Unsolicited => tracing::debug!(command = ?header.command, "unsolicited message"),
        }
        Ok(())
    }

    /// Enters the answer in the table, and its credits in the window.
    fn take(&self, header: &Header) -> Result<Answer<Slot>, Error> {
        let mut table = self.table();
        let before = table.available();
        let answer = table.answered(header)?;
        let granted = table.available().saturating_sub(before);
        let stuck = table.is_stuck();
        // Who has given up before there was an AsyncId to cancel by.
        let is_unheard = |slot: &Slot| slot.answer.as_ref().is_none_or(oneshot::Sender::is_closed);
        let unheard =
            matches!(answer, Answer::Interim) && table.slot(header.message_id).is_some_and(is_unheard);
        drop(table);
        if unheard {
            self.chore(Chore::Cancel { message_id: header.message_id });
        }
        self.credits.add_permits(usize::try_from(self.reserve.keep(granted)).unwrap_or(0));
        if stuck {
            return Err(PeerViolation::Credits { charge: 0, payload: 0 }.into());
        }
        Ok(answer)
    }

    fn deliver(&self, slot: Slot, header: Header, message: IoBuf) {
        let Slot { answer, kept, undo, tree_id, need, .. } = slot;
        let reply = Reply { header, message, kept, undo };
        let unheard = match answer {
            Some(answer) => answer.send(Ok(reply)).err().and_then(Result::ok),
            None => Some(reply),
        };
        if let Some(reply) = unheard {
            self.orphaned(reply, tree_id, need);
        }
    }
}
