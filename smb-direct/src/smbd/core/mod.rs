//! The state machine of one SMB Direct connection, without I/O.
//!
//! ```text
//!            initiator: Negotiate Request sent ─▶ AwaitResponse ─┐ response good
//!  (link up)                                                     ├───────────▶ Established ── close() ──▶ Closing
//!            responder: AwaitRequest ─ request good, answered ───┘                 │                        │ all sent
//!                             │ versions: refusal sent, then ──────────────────────┼──▶ Closing ────────────┤
//!                             └── anything else wrong, time-out ──▶ Closed ◀───────┴── violation, time-out ─┘
//! ```
//!
//! # Driving it
//!
//! Make an [`Engine`] when the RDMA connection stands, with one receive of [`Config::first_receive`] bytes posted. Then,
//! in one place and in any order:
//!
//! 1. **Feed**: [`received`](Engine::received) for each receive that completes, [`sends_done`](Engine::sends_done) for
//!    sends and RDMA writes, [`send`](Engine::send) for each upper-layer message, [`consumed`](Engine::consumed) when the
//!    upper layer has taken one, [`link_down`](Engine::link_down) when the connection is gone.
//! 2. **Drain**: call [`poll`](Engine::poll) until it returns `None`, and do what it says in that order: receives are
//!    posted before the message that announces them. Nothing follows [`Output::Close`].
//! 3. **Arm** a timer for [`deadline`](Engine::deadline); when it fires, call [`expired`](Engine::expired). A deadline
//!    that moved meanwhile does no harm.
//!
//! Time is an argument; it must not run backwards.

mod credits;
mod keepalive;
mod negotiate;
mod receive;
mod transmit;

pub use super::fragment::Outgoing;
pub use negotiate::Limits;

use super::{CloseReason, Config, fragment::SendQueue, reassemble::Reassembler};
use crate::rdma::{Head, SendRequest, WriteRequest};
use credits::Credits;
use keepalive::Keepalive;
use smb_transport::{Buffers, INITIAL_LIMIT, Received};
use std::{collections::VecDeque, sync::Arc, time::Instant};

/// Which side of the connection we are — Connection.Role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// We connected.
    Initiator,
    /// We were connected to.
    Responder,
}

/// What is to be done.
#[derive(Debug)]
pub enum Output {
    /// Post receives.
    PostReceives {
        /// How many.
        count: u16,
        /// Bytes each holds at least.
        size: usize,
    },
    /// Post a send.
    Send(SendRequest),
    /// Post an RDMA write.
    Write(WriteRequest),
    /// The negotiation is over, well.
    Established(Limits),
    /// Hand an upper-layer message up.
    Deliver(Received),
    /// Disconnect. The last output.
    Close(CloseReason),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    AwaitResponse,
    AwaitRequest,
    Established,
    /// No more from the upper layer; disconnect for this reason when all is sent.
    Closing(CloseReason),
    Closed(CloseReason),
}

/// One SMB Direct connection.
pub struct Engine {
    config: Config,
    state: State,
    limits: Option<Limits>,
    credits: Credits,
    keepalive: Keepalive,
    queue: SendQueue,
    reassembler: Reassembler,
    /// Connection.SendImmediate: the peer wants to hear something.
    send_immediate: bool,
    /// Sends and RDMA writes posted and not done.
    in_flight: usize,
    /// Memory of what was delivered and not consumed.
    unread: usize,
    outputs: VecDeque<Output>,
}

impl Engine {
    /// A connection whose link stands. `buffers` is where reassembled messages go.
    pub fn new(role: Role, config: Config, buffers: Arc<dyn Buffers>, now: Instant) -> Self {
        let config = config.in_range();
        let (state, timeout) = match role {
            Role::Initiator => (State::AwaitResponse, config.initiator_timeout),
            Role::Responder => (State::AwaitRequest, config.responder_timeout),
        };
        let mut engine = Self {
            state,
            limits: None,
            credits: Credits::new(&config),
            keepalive: Keepalive::new(&config, timeout, now),
            queue: SendQueue::default(),
            reassembler: Reassembler::new(buffers, config.max_fragmented_recv_size, INITIAL_LIMIT),
            send_immediate: false,
            in_flight: 0,
            unread: 0,
            outputs: VecDeque::new(),
            config,
        };
        if role == Role::Initiator {
            let request = negotiate::request(&engine.config);
            engine.post(Head::new(|out| request.emit(out)));
        }
        engine
    }

    /// What to do next, if anything.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`expired`](Self::expired) is to be called at the latest; `None` once nothing waits for time any more.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Closed(_) => None,
            _ => Some(self.keepalive.deadline()),
        }
    }

    /// It is `now`, and a deadline may have passed.
    pub fn expired(&mut self, now: Instant) {
        if matches!(self.state, State::Closed(_)) {
            return;
        }
        match self.keepalive.expire(now) {
            Ok(()) => self.pump(now),
            Err(reason) => self.end(reason),
        }
    }

    /// The RDMA connection is gone.
    pub fn link_down(&mut self) {
        let reason = match self.state {
            State::Closing(reason) if self.is_drained() => reason,
            _ => CloseReason::Disconnected,
        };
        self.end(reason);
    }

    /// Ends the connection when all that was queued is sent; at once where it is not established.
    pub fn close(&mut self, now: Instant) {
        match self.state {
            State::Established => {
                self.state = State::Closing(CloseReason::Closed);
                self.pump(now);
            }
            State::AwaitRequest | State::AwaitResponse => self.end(CloseReason::Closed),
            State::Closing(_) | State::Closed(_) => {}
        }
    }

    /// Ends the connection at once.
    pub fn abort(&mut self) {
        self.end(CloseReason::Closed);
    }

    /// Why the connection ended, if it has.
    pub fn ended(&self) -> Option<CloseReason> {
        match self.state {
            State::Closed(reason) => Some(reason),
            _ => None,
        }
    }

    /// What was negotiated, once it is.
    pub fn limits(&self) -> Option<&Limits> {
        self.limits.as_ref()
    }

    /// Sets the longest upper-layer message to take from now on, in bytes ([`INITIAL_LIMIT`] until then).
    pub fn set_limit(&mut self, limit: usize) {
        self.reassembler.set_limit(limit);
    }

    /// Send credits we hold and receives the peer may use.
    pub fn credits(&self) -> (u16, u16) {
        (self.credits.send(), self.credits.receive())
    }

    /// Whether an upper-layer message has begun and not ended.
    pub fn is_midway(&self) -> bool {
        self.reassembler.is_midway()
    }

    /// Lets the peer have a single credit.
    #[cfg(any(test, fuzzing))]
    #[doc(hidden)]
    pub fn squeeze(&mut self) {
        self.credits.squeeze();
    }

    fn is_drained(&self) -> bool {
        self.queue.is_empty() && self.in_flight == 0
    }

    fn end(&mut self, reason: CloseReason) {
        if matches!(self.state, State::Closed(_)) {
            return;
        }
        self.state = State::Closed(reason);
        self.queue.clear();
        self.outputs.push_back(Output::Close(reason));
    }
}

#[cfg(test)]
mod tests;
