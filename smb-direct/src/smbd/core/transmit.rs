//! What goes out: data, credits, answers — [MS-SMBD] 3.1.4.2, 3.1.5.1, 3.1.5.4.

use super::{Engine, Outgoing, Output, State, credits::Supply};
use crate::{
    rdma::{Head, SendRequest},
    smbd::{
        CloseReason,
        fragment::Fragment,
        wire::{DATA_OFFSET, DataHeader, Flags},
    },
};
use smb_transport::{IoBuf, TransportError};
use std::time::Instant;

impl Engine {
    /// Queues an upper-layer message. One that is empty or longer than the peer takes is refused, and so is any once the
    /// connection closes or before it is established.
    pub fn send(&mut self, now: Instant, message: Outgoing) -> Result<(), TransportError> {
        let (State::Established, Some(limits)) = (self.state, &self.limits) else {
            return Err(TransportError::Closed);
        };
        let limit = usize::try_from(limits.max_fragmented_send_size).unwrap_or(usize::MAX);
        if message.len() > limit {
            return Err(TransportError::TooLong { len: message.len(), limit });
        }
        if message.is_empty() {
            // On the wire it would be a message that only manages credits.
            return Err(TransportError::Empty);
        }
        self.queue.push(message);
        self.pump(now);
        Ok(())
    }

    /// Whether another message should be queued now. A limit of courtesy: [`send`](Self::send) does not check it.
    pub fn has_room(&self) -> bool {
        self.queue.bytes() < self.config.send_queue_bytes
    }

    /// `count` posted sends and RDMA writes are done.
    pub fn sends_done(&mut self, now: Instant, count: usize) {
        self.in_flight = self.in_flight.saturating_sub(count);
        self.pump(now);
    }

    /// The upper layer has taken a delivered message that holds so much [`memory`](Self::memory).
    pub fn consumed(&mut self, now: Instant, memory: usize) {
        self.unread = self.unread.saturating_sub(memory);
        self.pump(now);
    }

    /// Bytes a delivered message keeps from being used otherwise: a message of one byte holds a whole receive.
    pub fn memory(message: &IoBuf) -> usize {
        message.memory().bytes().len()
    }

    /// Turns as much as credits and the send queue allow into outputs.
    pub(super) fn pump(&mut self, now: Instant) {
        if !matches!(self.state, State::Established | State::Closing(CloseReason::Closed)) {
            self.finish();
            return;
        }
        while self.in_flight < self.config.send_queue_depth {
            if let Some(write) = self.queue.next_write() {
                self.in_flight += 1;
                self.outputs.push_back(Output::Write(write));
                continue;
            }
            if !self.has_reason_to_send() || !self.transmit(now) {
                break;
            }
        }
        self.finish();
    }

    fn finish(&mut self) {
        if let State::Closing(reason) = self.state
            && self.is_drained()
        {
            self.end(reason);
        }
    }

    fn answer_due(&self) -> bool {
        self.send_immediate || self.keepalive.is_pending()
    }

    fn has_reason_to_send(&self) -> bool {
        let credits_due = self.credits.is_due() && self.supply() == Supply::Free;
        !self.queue.is_empty() || self.answer_due() || credits_due
    }

    /// What the upper layer does not take keeps the peer from sending more; far beyond that, even from the one
    /// message at a time that lets us send ourselves.
    fn supply(&self) -> Supply {
        if self.unread < self.config.unread_bytes {
            Supply::Free
        } else if self.answer_due() || self.unread < self.config.unread_bytes.saturating_mul(2) {
            Supply::Short
        } else {
            Supply::Shut
        }
    }

    /// Sends one Data Transfer message, with data where there is some; `false` where it has to wait.
    fn transmit(&mut self, now: Instant) -> bool {
        let Some(limits) = self.limits else { return false };
        let (supply, answer_due) = (self.supply(), self.answer_due());
        let Some(grant) = self.credits.spend(supply, answer_due) else { return false };
        if grant > 0 {
            let size = usize::try_from(limits.max_receive_size).unwrap_or(usize::MAX);
            self.outputs.push_back(Output::PostReceives { count: grant, size });
        }
        let flags = if self.keepalive.is_pending() {
            self.keepalive.asked(now);
            Flags::RESPONSE_REQUESTED
        } else {
            Flags::NONE
        };
        self.send_immediate = false;
        let most = usize::try_from(limits.max_send_size).unwrap_or(usize::MAX).saturating_sub(DATA_OFFSET);
        let fragment = self.queue.next_fragment(most);
        self.post_data(grant, flags, fragment);
        true
    }

    fn post_data(&mut self, credits_granted: u16, flags: Flags, fragment: Option<Fragment>) {
        let Fragment { pieces, len, remaining, invalidate } =
            fragment.unwrap_or(Fragment { pieces: [None, None], len: 0, remaining: 0, invalidate: None });
        let header = DataHeader {
            credits_requested: self.config.send_credit_target,
            credits_granted,
            flags,
            remaining_data_length: u32::try_from(remaining).unwrap_or(u32::MAX),
        };
        let head = Head::new(|out| header.emit(u32::try_from(len).unwrap_or(u32::MAX), out));
        self.in_flight += 1;
        self.outputs.push_back(Output::Send(SendRequest { head, pieces, invalidate }));
    }

    /// Sends a message of the negotiation, which costs no credit.
    pub(super) fn post(&mut self, head: Head) {
        self.in_flight += 1;
        self.outputs.push_back(Output::Send(SendRequest { head, pieces: [None, None], invalidate: None }));
    }
}
