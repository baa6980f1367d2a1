//! Outgoing messages, cut into what the peer receives at a time — [MS-SMBD] 3.1.5.4.
//!
//! Nothing is copied: a fragment is a header and references to parts of the message's own buffers.

use crate::rdma::{Piece, Slice, WriteRequest};
use bytes::Bytes;
use smb_transport::{IoBuf, Token};
use std::{collections::VecDeque, sync::Arc};

/// An upper-layer message to send.
#[derive(Debug)]
pub struct Outgoing {
    /// Its first bytes.
    pub head: IoBuf,
    /// The rest.
    pub payload: Bytes,
    /// RDMA writes to post before it.
    pub writes: VecDeque<WriteRequest>,
    /// Token of the peer's to invalidate with it.
    pub invalidate: Option<Token>,
}

impl Outgoing {
    /// Bytes of the message, without what is written.
    pub fn len(&self) -> usize {
        self.head.len().saturating_add(self.payload.len())
    }

    /// Whether the message is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn cost(&self) -> usize {
        self.writes.iter().fold(self.len(), |sum, write| sum.saturating_add(write.from.len()))
    }
}

/// A piece of a message that fits into one Data Transfer message.
pub(super) struct Fragment {
    pub(super) pieces: [Option<Piece>; 2],
    pub(super) len: usize,
    /// Bytes of the message that follow.
    pub(super) remaining: usize,
    pub(super) invalidate: Option<Token>,
}

/// Connection.SendQueue.
#[derive(Default)]
pub(super) struct SendQueue {
    queue: VecDeque<Queued>,
    bytes: usize,
}

struct Queued {
    head: Arc<IoBuf>,
    payload: Bytes,
    writes: VecDeque<WriteRequest>,
    invalidate: Option<Token>,
    len: usize,
    sent: usize,
    cost: usize,
}

impl SendQueue {
    pub(super) fn push(&mut self, message: Outgoing) {
        let (len, cost) = (message.len(), message.cost());
        self.bytes = self.bytes.saturating_add(cost);
        let Outgoing { head, payload, writes, invalidate } = message;
        self.queue.push_back(Queued {
            head: Arc::new(head),
            payload,
            writes,
            invalidate,
            len,
            sent: 0,
            cost,
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Bytes of the messages that are not all cut yet, with what they write.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The next RDMA write of the message whose turn it is.
    pub(super) fn next_write(&mut self) -> Option<WriteRequest> {
        self.queue.front_mut()?.writes.pop_front()
    }

    /// The next fragment with at most `most` bytes of data. Its message's writes come before it.
    pub(super) fn next_fragment(&mut self, most: usize) -> Option<Fragment> {
        let message = self.queue.front_mut()?;
        let start = message.sent;
        let end = message.len.min(start.saturating_add(most.max(1)));
        let remaining = message.len.saturating_sub(end);
        let invalidate = if remaining == 0 { message.invalidate } else { None };
        let fragment = Fragment {
            pieces: message.pieces(start, end),
            len: end.saturating_sub(start),
            remaining,
            invalidate,
        };
        message.sent = end;
        if remaining == 0 {
            self.bytes = self.bytes.saturating_sub(message.cost);
            self.queue.pop_front();
        }
        Some(fragment)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Queued {
    /// Bytes `start..end` of head and payload together.
    fn pieces(&self, start: usize, end: usize) -> [Option<Piece>; 2] {
        let head = self.head.len();
        let front =
            (start < head).then(|| Piece::Buffer(Slice::new(self.head.clone(), start..end.min(head))));
        let (from, to) = (start.max(head).saturating_sub(head), end.saturating_sub(head));
        let back =
            (from < to && to <= self.payload.len()).then(|| Piece::Foreign(self.payload.slice(from..to)));
        [front, back]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(head: &[u8], payload: &'static [u8]) -> Outgoing {
        let (head, payload) = (IoBuf::copied(head), Bytes::from_static(payload));
        Outgoing { head, payload, writes: VecDeque::new(), invalidate: Some(Token(7)) }
    }

    #[test]
    fn every_size_of_fragment_carries_the_whole_message() {
        for (head, payload) in [(&b"0123456789"[..], &b"abcdefg"[..]), (b"", b"abc"), (b"012", b"")] {
            let len = head.len() + payload.len();
            for most in 1..=len + 1 {
                let mut queue = SendQueue::default();
                queue.push(message(head, payload));
                assert_eq!(queue.bytes(), len);
                let mut all = Vec::new();
                while let Some(fragment) = queue.next_fragment(most) {
                    let before = all.len();
                    fragment.pieces.iter().flatten().for_each(|piece| all.extend_from_slice(piece));
                    assert_eq!(all.len() - before, fragment.len);
                    assert!(fragment.len <= most && fragment.len > 0);
                    assert_eq!(fragment.remaining, len - all.len());
                    assert_eq!(fragment.invalidate.is_some(), fragment.remaining == 0, "with the last only");
                }
                assert_eq!(all, [head, payload].concat());
                assert_eq!(queue.bytes(), 0);
            }
        }
    }

    #[test]
    fn fragments_are_the_message_s_own_memory() {
        let mut queue = SendQueue::default();
        let message = message(b"0123456789", b"");
        let at = message.head.as_ptr();
        queue.push(message);
        let fragment = queue.next_fragment(4).unwrap();
        assert_eq!(fragment.pieces[0].as_ref().unwrap().as_ptr(), at);
        let fragment = queue.next_fragment(4).unwrap();
        assert_eq!(fragment.pieces[0].as_ref().unwrap().as_ptr().addr(), at.addr() + 4);
    }
}
